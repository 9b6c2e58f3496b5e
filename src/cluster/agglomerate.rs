//! In which groups do the records of one component belong, by the evidence of their fields together?

use std::num::NonZeroU32;
use std::ops::Range;

use super::constraint::Constraints;
use super::said::Said;
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
    let mut groups = Groups::new(nodes, model, floor, !joins.is_empty(), evidence);
    groups.take_in(constraints);
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

/// Pairs of groups are numbered row by row, each once: (0, 1), (0, 2), … (1, 2), …
///
/// What two groups say is added up only where their best pairs, field by field, could bring it to the floor: of most pairs
/// no more than these best ones is kept.
struct Groups<'a, E> {
    nodes: usize,
    model: &'a Model,
    /// Weights below it need not be known.
    floor: f64,
    /// Whether what all pairs say is kept, even of those in conflict.
    with_conflicts: bool,
    evidence: E,
    /// The fields that say something somewhere.
    fields: Vec<&'a FieldModel>,
    /// What the best pair of nodes says in each field, by pair of groups and then by field; no less.
    most: Vec<f32>,
    /// By pair: its place among `said`.
    places: Vec<Option<NonZeroU32>>,
    /// How many places there are; the first is nobody's.
    places_made: u32,
    /// What each field says, by place and then by field.
    said: Vec<Said>,
    /// The match weight by pair; of those below the floor, only that it is.
    weights: Vec<f64>,
    /// By pair.
    conflicts: Vec<bool>,
    alive: Vec<bool>,
    /// The nodes of each group.
    members: Vec<Vec<usize>>,
    /// For each group its strongest partner of a higher number, and how strong.
    best: Vec<Option<(usize, f64)>>,
}

/// More than rounding takes from a sum of bits.
const ROUNDING_BITS: f64 = 1e-6;

impl<'a, E: Fn(usize, usize) -> Evidence> Groups<'a, E> {
    fn new(nodes: usize, model: &'a Model, floor: f64, with_conflicts: bool, evidence: E) -> Self {
        let pairs = nodes * (nodes - 1) / 2;
        Self {
            nodes,
            model,
            floor,
            with_conflicts,
            evidence,
            fields: Vec::new(),
            most: Vec::new(),
            places: Vec::with_capacity(pairs),
            places_made: 1,
            said: Vec::new(),
            weights: Vec::with_capacity(pairs),
            conflicts: Vec::with_capacity(pairs),
            alive: vec![true; nodes],
            members: (0..nodes).map(|node| vec![node]).collect(),
            best: vec![None; nodes],
        }
    }

    /// Takes up what all pairs of nodes say.
    fn take_in(&mut self, constraints: &Constraints) {
        for i in 0..self.nodes {
            for j in i + 1..self.nodes {
                self.record(&(self.evidence)(i, j));
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

    /// Takes up what the next pair of nodes says.
    fn record(&mut self, evidence: &Evidence) {
        self.make_room(evidence);
        let pair = self.weights.len();
        let conflict = evidence.is_conflict(self.model);
        self.conflicts.push(conflict);
        self.places.push(None);
        self.weights.push(f64::NEG_INFINITY);
        let matters = self.matters(conflict);
        let mut stranger = self.model.parameters.prior_bits;
        for field in &self.fields {
            let bits = evidence.bits[field.field as usize];
            let speaks = matters && evidence.levels[field.field as usize] > 0;
            self.most.push(if speaks { no_less(bits) } else { f32::NEG_INFINITY });
            stranger += if speaks { bits } else { 0.0 };
        }
        if matters && self.is_needed(stranger) {
            let place = self.new_place();
            self.add_evidence(place, evidence);
            self.put(pair, place);
        }
    }

    /// Adds the fields that speak now and did not before, in the model's order.
    fn make_room(&mut self, evidence: &Evidence) {
        let speaks = |field: &FieldModel| evidence.levels[field.field as usize] > 0;
        let spoken = self.model.used().filter(|field| speaks(field)).count();
        if self.fields.iter().filter(|field| speaks(field)).count() == spoken {
            return;
        }
        let before = std::mem::take(&mut self.fields);
        let place = |field: &FieldModel| before.iter().position(|it| it.field == field.field);
        self.fields =
            self.model.used().filter(|field| speaks(field) || place(field).is_some()).collect();
        let places: Vec<Option<usize>> = self.fields.iter().map(|field| place(field)).collect();
        self.most = widened(&self.most, before.len(), &places, f32::NEG_INFINITY);
        self.said = widened(&self.said, before.len(), &places, Said::NOTHING);
        if before.is_empty() {
            self.most = vec![f32::NEG_INFINITY; self.weights.len() * self.fields.len()];
            self.said = vec![Said::NOTHING; self.places_made as usize * self.fields.len()];
        }
    }

    /// Whether it matters what a pair says.
    fn matters(&self, conflict: bool) -> bool {
        self.with_conflicts || !conflict
    }

    /// Whether it has to be known what groups say whose fields say no more than this, in bits.
    fn is_needed(&self, most: f64) -> bool {
        self.with_conflicts || most + ROUNDING_BITS >= self.floor
    }

    /// A place where nothing is said yet.
    fn new_place(&mut self) -> NonZeroU32 {
        let place = NonZeroU32::new(self.places_made).expect("the first is made");
        self.places_made = self.places_made.checked_add(1).expect("fewer than 2^32 pairs");
        self.said.extend(self.fields.iter().map(|_| Said::NOTHING));
        place
    }

    /// Where it is what each field says in a place.
    fn range(&self, place: NonZeroU32) -> Range<usize> {
        let fields = self.fields.len();
        let place = place.get() as usize;
        place * fields..(place + 1) * fields
    }

    /// Adds what a pair of nodes says to a place.
    fn add_evidence(&mut self, place: NonZeroU32, evidence: &Evidence) {
        let range = self.range(place);
        for (said, field) in self.said[range].iter_mut().zip(&self.fields) {
            if evidence.levels[field.field as usize] > 0 {
                let bits = evidence.bits[field.field as usize];
                *said = said.and(Said { sum: bits, max: bits, pairs: 1 });
            }
        }
    }

    /// Notes where it is what two groups say, and weighs it.
    fn put(&mut self, pair: usize, place: NonZeroU32) {
        self.places[pair] = Some(place);
        let stranger = self.against_strangers(place);
        self.weights[pair] =
            if stranger < self.floor { stranger } else { self.against_mates_too(place, stranger) };
    }

    /// Never merges these two groups, `kept` the lower.
    fn keep_apart(&mut self, kept: usize, joined: usize) {
        let pair = self.pair(kept, joined);
        self.conflicts[pair] = true;
        self.best[kept] = self.best_partner(kept);
    }

    /// The match weight of two groups from what their fields say, which must be known.
    fn weight(&self, pair: usize) -> f64 {
        let place = self.places[pair].expect("with judgements, all is kept");
        self.against_mates_too(place, self.against_strangers(place))
    }

    /// The match weight of two groups, given what it is against strangers alone.
    fn against_mates_too(&self, place: NonZeroU32, stranger: f64) -> f64 {
        let household = |(field, bits): (&FieldModel, f64)| field.household_evidence(bits);
        let household = self.bits(place).map(household).sum::<f64>();
        Model::posterior(stranger, self.model.parameters.household_bits + household)
    }

    fn against_strangers(&self, place: NonZeroU32) -> f64 {
        let bits = self.bits(place).map(|(_, bits)| bits);
        self.model.parameters.prior_bits + bits.sum::<f64>()
    }

    /// What each field says between two groups that does, in bits.
    fn bits(&self, place: NonZeroU32) -> impl Iterator<Item = (&'a FieldModel, f64)> {
        let said = self.fields.iter().zip(&self.said[self.range(place)]);
        let said = said.filter(|(_, said)| said.pairs > 0);
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
                self.unite(pair, gone, [kept, joined, other]);
            }
        }
        let joining = std::mem::take(&mut self.members[joined]);
        self.members[kept].extend(joining);
        self.refresh(kept, joined);
    }

    /// Makes what `[kept, other]` say, a pair, what `[joined, other]` say, too.
    fn unite(&mut self, pair: usize, gone: usize, [kept, joined, other]: [usize; 3]) {
        let fields = self.fields.len();
        let mut most = self.model.parameters.prior_bits;
        for at in 0..fields {
            let of_both = self.most[pair * fields + at].max(self.most[gone * fields + at]);
            self.most[pair * fields + at] = of_both;
            most += if of_both == f32::NEG_INFINITY { 0.0 } else { f64::from(of_both) };
        }
        let place = match (self.places[pair], self.places[gone]) {
            (Some(place), Some(of_gone)) => {
                for (at, from) in self.range(place).zip(self.range(of_gone)) {
                    self.said[at] = self.said[at].and(self.said[from]);
                }
                place
            }
            _ if !self.is_needed(most) => {
                self.places[pair] = None;
                self.weights[pair] = f64::NEG_INFINITY;
                return;
            }
            (Some(place), None) => self.add_groups(place, joined, other),
            (None, Some(place)) => self.add_groups(place, kept, other),
            (None, None) => {
                let place = self.new_place();
                self.add_groups(place, kept, other);
                self.add_groups(place, joined, other)
            }
        };
        self.put(pair, place);
    }

    /// Adds what all pairs of two groups' nodes say to a place.
    fn add_groups(&mut self, place: NonZeroU32, group: usize, other: usize) -> NonZeroU32 {
        for i in self.members[group].clone() {
            for j in self.members[other].clone() {
                let evidence = (self.evidence)(i.min(j), i.max(j));
                self.add_evidence(place, &evidence);
            }
        }
        place
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

/// Rows of so many columns with others between them: by column, its number before; empty where it is new.
fn widened<T: Copy>(rows: &[T], columns: usize, before: &[Option<usize>], empty: T) -> Vec<T> {
    let row =
        |row: &[T]| before.iter().map(|at| at.map_or(empty, |at| row[at])).collect::<Vec<T>>();
    rows.chunks(columns.max(1)).flat_map(row).collect()
}

/// The least number of less precision that is no less.
fn no_less(bits: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is made up for")]
    let nearest = bits as f32;
    if f64::from(nearest) < bits { nearest.next_up() } else { nearest }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// The same merges, where all that two groups say is added up anew whenever it is asked for.
    fn plainly(nodes: usize, model: &Model, said: &[Vec<Evidence>]) -> Vec<Merge> {
        let mut groups: Vec<Vec<usize>> = (0..nodes).map(|node| vec![node]).collect();
        let pairs = |a: &[usize], b: &[usize]| -> Vec<&Evidence> {
            a.iter().flat_map(|i| b.iter().map(|j| &said[*i.min(j)][*i.max(j)])).collect()
        };
        let weight = |pairs: &[&Evidence]| {
            let of_field = |field: &'_ FieldModel| {
                let spoken = pairs.iter().filter(|it| it.levels[field.field as usize] > 0);
                let bits = spoken.map(|it| it.bits[field.field as usize]);
                let one = |bits| Said { sum: bits, max: bits, pairs: 1 };
                bits.map(one).fold(Said::NOTHING, Said::and)
            };
            let said: Vec<(&FieldModel, Said)> =
                model.used().map(|field| (field, of_field(field))).collect();
            let in_common = said.iter().any(|(field, said)| said.is_in_common(field));
            let spoken = said.iter().filter(|(_, said)| said.pairs > 0);
            let (mut stranger, mut household) =
                (model.parameters.prior_bits, model.parameters.household_bits);
            for (field, said) in spoken {
                let apart_bits = if in_common { 0.0 } else { said.apart_bits(field, model) };
                let bits = said.bits(field, model) + apart_bits;
                stranger += bits;
                household += field.household_evidence(bits);
            }
            Model::posterior(stranger, household)
        };
        let mut merges = Vec::new();
        loop {
            let mut strongest: Option<Merge> = None;
            for (kept, a) in groups.iter().enumerate() {
                for (joined, b) in groups.iter().enumerate().skip(kept + 1) {
                    let pairs = pairs(a, b);
                    if pairs.is_empty() || pairs.iter().any(|it| it.is_conflict(model)) {
                        continue;
                    }
                    let weight_bits = weight(&pairs);
                    if strongest.is_none_or(|most| weight_bits > most.weight_bits + TIE_BITS) {
                        strongest = Some(Merge { kept, joined, weight_bits, by: By::Evidence });
                    }
                }
            }
            let threshold = model.parameters.threshold_bits;
            let Some(merge) = strongest.filter(|it| it.weight_bits >= threshold) else {
                return merges;
            };
            let joined = std::mem::take(&mut groups[merge.joined]);
            groups[merge.kept].extend(joined);
            merges.push(merge);
        }
    }

    /// What a pair says in a few fields.
    fn evidence() -> impl Strategy<Value = Evidence> {
        let fields = [Field::Given, Field::Surname, Field::BirthDate, Field::Email, Field::Phone];
        let of_field = prop::option::weighted(0.8, (1_u8..6, -40_i32..160));
        prop::collection::vec(of_field, fields.len()).prop_map(move |said| {
            let mut evidence = namesakes(0.0, 0.0);
            (evidence.levels, evidence.bits) = ([0; Field::COUNT], [0.0; Field::COUNT]);
            for (field, (level, bits)) in
                fields.into_iter().zip(said).filter_map(|(f, s)| Some((f, s?)))
            {
                evidence.levels[field as usize] = level;
                evidence.bits[field as usize] = f64::from(bits) / 10.0;
            }
            evidence
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn merges_are_those_of_all_that_is_said(
            nodes in 2_usize..9,
            said in prop::collection::vec(prop::collection::vec(evidence(), 9), 9),
            [prior, threshold] in [-25.0_f64..0.0, -6.0..3.0],
            households in any::<bool>(),
        ) {
            let mut model = Model::default_with(50.0);
            model.parameters.prior_bits = prior;
            model.parameters.threshold_bits = threshold;
            model.parameters.apart_bits = 0.5;
            if !households {
                model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
            }
            let expected = plainly(nodes, &model, &said);
            let found = agglomerate(nodes, &model, &Constraints::NONE, |i, j| said[i][j].clone());
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!((found.kept, found.joined), (expected.kept, expected.joined));
                prop_assert!((found.weight_bits - expected.weight_bits).abs() < 1e-9);
            }
        }
    }
}
