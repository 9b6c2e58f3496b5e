//! In which groups do the records of one component belong, by the evidence of their fields together?

use super::constraint::Constraints;
use crate::score::{Evidence, FieldModel, Model};

/// One step of an agglomeration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// The group that stays, by its lowest node.
    pub kept: usize,
    /// The group that joins it, by its lowest node.
    pub joined: usize,
    /// The match weight of the two groups in bits, whatever made them one.
    pub weight_bits: f64,
    /// What made them one.
    pub by: By,
}

/// What makes two groups one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What their fields say.
    Evidence,
    /// A judgement, whatever their fields say.
    Judgement,
}

/// What was made one, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agglomeration {
    /// The merges in the order they were made.
    pub merges: Vec<Merge>,
    /// The pairs of final groups that would have come next, the strongest first.
    pub refused: Vec<Merge>,
}

/// Two weights closer than this are a tie, which goes to the lowest nodes.
const TIE_BITS: f64 = 1e-9;

/// Merges `nodes` nodes greedily, the strongest pair of groups first, down to the model's threshold.
///
/// `evidence(i, j)`, `i < j`, is what a pair says; nodes must be in an order that depends on their content only.
/// Two groups' field says `share·max + (1 − share)·mean` over the pairs that have a value; an identifier says its
/// maximum; the prior is charged once a merge. Where two groups have no identifier in common, each that both have
/// takes off [`crate::score::Parameters::apart_bits`] with every doubling of its pairs. Groups with a hard conflict
/// between any two members never merge. What was judged comes first: see [`Constraints`]. Returns the merges in the
/// order they were made.
pub fn agglomerate(
    nodes: usize,
    model: &Model,
    constraints: &Constraints,
    evidence: impl Fn(usize, usize) -> Evidence,
) -> Vec<Merge> {
    agglomerate_down_to(f64::INFINITY, nodes, model, constraints, evidence).merges
}

/// As [`agglomerate`], and also the pairs of final groups below the threshold that weigh `least_bits` or more.
pub fn agglomerate_down_to(
    least_bits: f64,
    nodes: usize,
    model: &Model,
    constraints: &Constraints,
    evidence: impl Fn(usize, usize) -> Evidence,
) -> Agglomeration {
    let mut done = Agglomeration::default();
    if nodes < 2 {
        return done;
    }
    let floor = model.parameters.threshold_bits.min(least_bits);
    let joins = constraints.joins(nodes);
    // What pairs in conflict say matters only where a judgement may make them one all the same.
    let mut groups = Groups::new(nodes, model, floor, !joins.is_empty());
    groups.take_in(constraints, evidence);
    for (kept, joined) in joins {
        let weight_bits = groups.weight(groups.pair(kept, joined));
        groups.merge(kept, joined);
        done.merges.push(Merge { kept, joined, weight_bits, by: By::Judgement });
    }
    let mut is_refused = false;
    while let Some((kept, joined, weight_bits)) = groups.strongest() {
        // From the first pair below the threshold on, groups are final.
        is_refused |= weight_bits < model.parameters.threshold_bits;
        let merge = Merge { kept, joined, weight_bits, by: By::Evidence };
        if !is_refused {
            groups.merge(kept, joined);
            done.merges.push(merge);
        } else if weight_bits >= least_bits {
            groups.keep_apart(kept, joined);
            done.refused.push(merge);
        } else {
            break;
        }
    }
    done
}

/// The groups that merges make of `nodes` nodes, in the order of their lowest nodes.
pub fn groups(nodes: usize, merges: &[Merge]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..nodes).map(|node| vec![node]).collect();
    for merge in merges {
        let joined = std::mem::take(&mut groups[merge.joined]);
        groups[merge.kept].extend(joined);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// What one field says between two groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// The bits of all pairs that have a value, added up.
    pub sum: f64,
    /// Those of the best pair.
    pub max: f64,
    /// How many pairs have a value.
    pub pairs: u32,
}

impl Said {
    /// No pair has a value.
    pub const NOTHING: Self = Self { sum: 0.0, max: f64::NEG_INFINITY, pairs: 0 };

    /// How much the best pair counts beside the mean of all: of an identifier that people share or
    /// exchange, one agreement says it all.
    pub fn best_share(field: &FieldModel, model: &Model) -> f64 {
        if field.sharing.is_some() { 1.0 } else { model.parameters.best_share }
    }

    /// What it comes to in bits; some pair must have a value.
    pub fn bits(self, field: &FieldModel, model: &Model) -> f64 {
        let share = Self::best_share(field, model);
        share * self.max + (1.0 - share) * self.sum / f64::from(self.pairs)
    }

    /// Whether the groups have an identifier in common, or one that is nearly the same.
    pub fn is_in_common(self, field: &FieldModel) -> bool {
        field.sharing.is_some() && self.max > 0.0
    }

    /// What an identifier takes off, in bits, 0 or less, where two groups have none in common.
    pub fn apart_bits(self, field: &FieldModel, model: &Model) -> f64 {
        match field.sharing {
            Some(_) if self.pairs > 1 => {
                -model.parameters.apart_bits * f64::from(self.pairs).log2()
            }
            _ => 0.0,
        }
    }

    /// What both say together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            max: self.max.max(other.max),
            pairs: self.pairs + other.pairs,
        }
    }
}

/// Pairs of groups are numbered row by row, each once: (0, 1), (0, 2), … (1, 2), …
struct Groups<'a> {
    nodes: usize,
    model: &'a Model,
    /// Weights below it need not be known.
    floor: f64,
    /// Whether what pairs in conflict say is kept, too.
    with_conflicts: bool,
    /// The fields that say something somewhere.
    fields: Vec<&'a FieldModel>,
    /// What each of them says, by pair and then by field.
    said: Vec<Said>,
    /// The match weight by pair; below the floor, no more than it is against strangers alone.
    weights: Vec<f64>,
    /// By pair.
    conflicts: Vec<bool>,
    alive: Vec<bool>,
    /// For each group its strongest partner of a higher number, and how strong.
    best: Vec<Option<(usize, f64)>>,
}

impl<'a> Groups<'a> {
    fn new(nodes: usize, model: &'a Model, floor: f64, with_conflicts: bool) -> Self {
        let pairs = nodes * (nodes - 1) / 2;
        Self {
            nodes,
            model,
            floor,
            with_conflicts,
            fields: Vec::new(),
            said: Vec::new(),
            weights: Vec::with_capacity(pairs),
            conflicts: Vec::with_capacity(pairs),
            alive: vec![true; nodes],
            best: vec![None; nodes],
        }
    }

    /// Takes up what all pairs of nodes say.
    fn take_in(&mut self, constraints: &Constraints, evidence: impl Fn(usize, usize) -> Evidence) {
        for i in 0..self.nodes {
            for j in i + 1..self.nodes {
                self.record(&evidence(i, j));
            }
        }
        for (i, j) in &constraints.apart {
            let pair = self.pair(*i, *j);
            self.conflicts[pair] = true;
        }
        for node in 0..self.nodes {
            self.best[node] = self.best_partner(node);
        }
    }

    /// The number of a pair.
    fn pair(&self, i: usize, j: usize) -> usize {
        let (i, j) = (i.min(j), i.max(j));
        i * (2 * self.nodes - i - 1) / 2 + j - i - 1
    }

    /// What each field says of a pair.
    fn said(&self, pair: usize) -> &[Said] {
        &self.said[pair * self.fields.len()..(pair + 1) * self.fields.len()]
    }

    /// Takes up what the next pair of nodes says.
    fn record(&mut self, evidence: &Evidence) {
        let speaks = |field: &FieldModel| evidence.levels[field.field as usize] > 0;
        let spoken = self.model.used().filter(|field| speaks(field)).count();
        if self.fields.iter().filter(|field| speaks(field)).count() < spoken {
            self.make_room(speaks);
        }
        let conflict = evidence.is_conflict(self.model);
        self.said.extend(self.fields.iter().map(|field| {
            let bits = evidence.bits[field.field as usize];
            if speaks(field) { Said { sum: bits, max: bits, pairs: 1 } } else { Said::NOTHING }
        }));
        let pair = self.weights.len();
        let matters = self.matters(conflict);
        self.conflicts.push(conflict);
        self.weights.push(if matters { self.weight_from_floor(pair) } else { f64::NEG_INFINITY });
    }

    /// Adds the fields that speak now and did not before, in the model's order.
    fn make_room(&mut self, speaks: impl Fn(&FieldModel) -> bool) {
        let before = std::mem::take(&mut self.fields);
        let place = |field: &FieldModel| before.iter().position(|it| it.field == field.field);
        self.fields =
            self.model.used().filter(|field| speaks(field) || place(field).is_some()).collect();
        let places: Vec<Option<usize>> = self.fields.iter().map(|field| place(field)).collect();
        let said = std::mem::take(&mut self.said);
        let of_pair = |pair: usize| {
            let said = &said[pair * before.len()..(pair + 1) * before.len()];
            places.iter().map(|at| at.map_or(Said::NOTHING, |at| said[at]))
        };
        self.said = (0..self.weights.len()).flat_map(of_pair).collect();
    }

    /// Whether it matters what a pair says.
    fn matters(&self, conflict: bool) -> bool {
        self.with_conflicts || !conflict
    }

    /// Never merges these two groups, `kept` the lower.
    fn keep_apart(&mut self, kept: usize, joined: usize) {
        let pair = self.pair(kept, joined);
        self.conflicts[pair] = true;
        self.best[kept] = self.best_partner(kept);
    }

    /// The match weight of two groups from what their fields say.
    fn weight(&self, pair: usize) -> f64 {
        self.against_mates_too(pair, self.against_strangers(pair))
    }

    /// The same; below the floor, no more than it is against strangers alone, which is no less.
    fn weight_from_floor(&self, pair: usize) -> f64 {
        let stranger = self.against_strangers(pair);
        if stranger < self.floor { stranger } else { self.against_mates_too(pair, stranger) }
    }

    /// The match weight of two groups, given what it is against strangers alone.
    fn against_mates_too(&self, pair: usize, stranger: f64) -> f64 {
        let household = |(field, bits): (&FieldModel, f64)| field.household_evidence(bits);
        let household = self.bits(pair).map(household).sum::<f64>();
        Model::posterior(stranger, self.model.parameters.household_bits + household)
    }

    fn against_strangers(&self, pair: usize) -> f64 {
        let bits = self.bits(pair).map(|(_, bits)| bits);
        self.model.parameters.prior_bits + bits.sum::<f64>()
    }

    /// What each field says between two groups that does, in bits.
    fn bits(&self, pair: usize) -> impl Iterator<Item = (&'a FieldModel, f64)> {
        let said = self.fields.iter().zip(self.said(pair)).filter(|(_, said)| said.pairs > 0);
        let in_common = said.clone().any(|(field, said)| said.is_in_common(field));
        said.map(move |(field, said)| {
            let apart_bits = if in_common { 0.0 } else { said.apart_bits(field, self.model) };
            (*field, said.bits(field, self.model) + apart_bits)
        })
    }

    fn strongest(&self) -> Option<(usize, usize, f64)> {
        let mut strongest: Option<(usize, usize, f64)> = None;
        for (node, best) in self.best.iter().enumerate() {
            if let Some((partner, weight)) = best
                && self.alive[node]
                && strongest.is_none_or(|(_, _, most)| *weight > most + TIE_BITS)
            {
                strongest = Some((node, *partner, *weight));
            }
        }
        strongest
    }

    fn best_partner(&self, node: usize) -> Option<(usize, f64)> {
        let mut best: Option<(usize, f64)> = None;
        for (partner, at) in (node + 1..self.nodes).zip(self.pair(node, node + 1)..) {
            if self.alive[partner]
                && !self.conflicts[at]
                && best.is_none_or(|(_, most)| self.weights[at] > most + TIE_BITS)
            {
                best = Some((partner, self.weights[at]));
            }
        }
        best
    }

    fn merge(&mut self, kept: usize, joined: usize) {
        self.alive[joined] = false;
        self.best[joined] = None;
        for other in (0..self.nodes).filter(|other| *other != kept && *other != joined) {
            if !self.alive[other] {
                continue;
            }
            let (pair, gone) = (self.pair(kept, other), self.pair(joined, other));
            let conflict = self.conflicts[pair] || self.conflicts[gone];
            self.conflicts[pair] = conflict;
            if self.matters(conflict) {
                let fields = self.fields.len();
                for at in 0..fields {
                    let both = self.said[pair * fields + at].and(self.said[gone * fields + at]);
                    self.said[pair * fields + at] = both;
                }
                self.weights[pair] = self.weight_from_floor(pair);
            }
        }
        self.refresh(kept, joined);
    }

    /// Brings the best partners up to date after a merge.
    fn refresh(&mut self, kept: usize, joined: usize) {
        for node in 0..self.nodes {
            if !self.alive[node] {
                continue;
            }
            let partner = self.best[node].map(|(partner, _)| partner);
            if node == kept || partner == Some(kept) || partner == Some(joined) {
                self.best[node] = self.best_partner(node);
            } else if node < kept {
                let at = self.pair(node, kept);
                let weight = self.weights[at];
                let wins = self.best[node].is_none_or(|(partner, most)| {
                    weight > most + TIE_BITS || (weight > most - TIE_BITS && kept < partner)
                });
                if wins && !self.conflicts[at] {
                    self.best[node] = Some((kept, weight));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    /// What a pair says that agrees on the names, and of whose e-mail addresses and numbers this is known.
    fn namesakes(email: f64, phone: f64) -> Evidence {
        let mut evidence = Evidence {
            levels: [0; Field::COUNT],
            bits: [0.0; Field::COUNT],
            swapped: false,
            pairing_bits: 0.0,
        };
        for (field, bits) in [(Field::Surname, 12.0), (Field::Email, email), (Field::Phone, phone)]
        {
            evidence.levels[field as usize] = if bits > 0.0 { 1 } else { 4 };
            evidence.bits[field as usize] = bits;
        }
        evidence
    }

    /// What the last merge weighs of {0, 1} and {2, 3}, each of one address, whose numbers say `phone`.
    fn last_merge(apart_bits: f64, phone: f64) -> f64 {
        let mut model = Model::default_with(50.0);
        model.parameters.apart_bits = apart_bits;
        model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        let evidence = |i: usize, j: usize| {
            if i / 2 == j / 2 { namesakes(19.0, 18.0) } else { namesakes(-1.0, phone) }
        };
        let merges = agglomerate(4, &model, &Constraints::NONE, evidence);
        merges.last().filter(|_| merges.len() == 3).expect("all become one").weight_bits
    }

    #[test]
    fn groups_without_an_identifier_in_common_are_the_less_one_the_more_they_have() {
        // Four pairs, two identifiers: twice the bits of two doublings.
        let difference = last_merge(0.0, -1.0) - last_merge(0.5, -1.0);
        assert!((difference - 2.0).abs() < 1e-9, "{difference}");
    }

    #[test]
    fn a_field_may_speak_late() {
        let mut model = Model::default_with(50.0);
        model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        let silent = Evidence {
            levels: [0; Field::COUNT],
            bits: [0.0; Field::COUNT],
            ..namesakes(0.0, 0.0)
        };
        let alone = agglomerate(2, &model, &Constraints::NONE, |_, _| namesakes(19.0, -1.0));
        let last = |i, _| if i < 2 { silent.clone() } else { namesakes(19.0, -1.0) };
        let merges = agglomerate(4, &model, &Constraints::NONE, last);
        assert_eq!(merges.iter().map(|it| (it.kept, it.joined)).collect::<Vec<_>>(), [(2, 3)]);
        assert_eq!(merges[0].weight_bits, alone[0].weight_bits);
    }

    #[test]
    fn groups_with_an_identifier_in_common_may_differ_in_others() {
        assert_eq!(last_merge(0.0, 18.0), last_merge(0.5, 18.0));
    }
}
