//! What do groups of one component's records say of each other, while they are merged?

use std::num::NonZeroU32;
use std::ops::Range;

use super::constraint::Constraints;
use super::said::Said;
use crate::record::Field;
use crate::score::{Evidence, FieldModel, Model};

/// Pairs of groups are numbered row by row, each once: (0, 1), (0, 2), … (1, 2), …
///
/// What two groups say is added up only where their best pairs, field by field, could bring it to the floor: of most pairs
/// no more than these best ones is kept.
pub(super) struct Groups<'a, E> {
    nodes: usize,
    model: &'a Model,
    /// Weights below it need not be known.
    floor: f64,
    /// Whether what all pairs say is kept, even of those in conflict.
    with_conflicts: bool,
    evidence: E,
    /// The fields that say something somewhere.
    fields: Vec<&'a FieldModel>,
    /// By field: whether it is among these, or the model does not use it.
    has_room: [bool; Field::COUNT],
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
    /// Groups of which it is known what they and any other say; of two others, nothing is.
    compared: Vec<bool>,
    /// For each group its strongest partner of a higher number, and how strong.
    best: Vec<Option<(usize, f64)>>,
}

/// More than rounding takes from a sum of bits.
const ROUNDING_BITS: f64 = 1e-6;

impl<'a, E: Fn(usize, usize) -> Evidence> Groups<'a, E> {
    pub(super) fn new(
        nodes: usize,
        model: &'a Model,
        floor: f64,
        with_conflicts: bool,
        evidence: E,
    ) -> Self {
        let pairs = nodes * nodes.saturating_sub(1) / 2;
        Self {
            nodes,
            model,
            floor,
            with_conflicts,
            evidence,
            fields: Vec::new(),
            has_room: [false; Field::COUNT],
            most: Vec::new(),
            places: Vec::with_capacity(pairs),
            places_made: 1,
            said: Vec::new(),
            weights: Vec::with_capacity(pairs),
            conflicts: Vec::with_capacity(pairs),
            alive: vec![true; nodes],
            members: (0..nodes).map(|node| vec![node]).collect(),
            compared: vec![false; nodes],
            best: vec![None; nodes],
        }
    }

    /// Takes up what all pairs of nodes say.
    pub(super) fn take_in(&mut self, constraints: &Constraints) {
        for i in 0..self.nodes {
            for j in i + 1..self.nodes {
                self.record(&(self.evidence)(i, j));
            }
        }
        self.compared.fill(true);
        for (i, j) in &constraints.apart {
            let pair = self.pair(*i, *j);
            self.conflicts[pair] = true;
        }
        for node in 0..self.nodes {
            self.best[node] = self.best_partner(node);
        }
    }

    /// Takes up nothing yet: groups are compared one by one.
    pub(super) fn begin(&mut self) {
        let pairs = self.nodes * self.nodes.saturating_sub(1) / 2;
        self.places = vec![None; pairs];
        self.weights = vec![f64::NEG_INFINITY; pairs];
        self.conflicts = vec![false; pairs];
    }

    pub(super) fn is_compared(&self, group: usize) -> bool {
        self.compared[group]
    }

    /// Takes up what a group and any other say.
    pub(super) fn compare(&mut self, group: usize) {
        let mut said = Vec::new();
        for other in (0..self.nodes).filter(|other| *other != group) {
            if self.alive[other] && !self.compared[other] {
                self.ask(group, other, &mut said);
            }
        }
        // All at once, so that room is made once.
        said.iter().for_each(|(_, evidence)| self.make_room(evidence));
        for of_pair in said.chunk_by(|(left, _), (right, _)| left == right) {
            self.take_up(of_pair[0].0, of_pair);
        }
        self.compared[group] = true;
        self.best[group] = self.best_partner(group);
        for other in (0..group).filter(|other| self.alive[*other]).collect::<Vec<_>>() {
            self.offer(other, group);
        }
    }

    /// What all pairs of two groups' nodes say, with the number of the pair of groups; of groups in conflict, only that.
    fn ask(&mut self, group: usize, other: usize, said: &mut Vec<(usize, Evidence)>) {
        let pair = self.pair(group, other);
        let begin = said.len();
        for (i, j) in pairs(&self.members[group], &self.members[other]) {
            let evidence = (self.evidence)(i, j);
            if evidence.is_conflict(self.model) {
                self.conflicts[pair] = true;
                said.truncate(begin);
                return;
            }
            said.push((pair, evidence));
        }
    }

    /// Takes up what all pairs of two groups' nodes say, none of which is in conflict.
    fn take_up(&mut self, pair: usize, said: &[(usize, Evidence)]) {
        let fields = self.fields.len();
        let most = &mut self.most[pair * fields..(pair + 1) * fields];
        for (_, evidence) in said {
            for (most, field) in most.iter_mut().zip(&self.fields) {
                if evidence.levels[field.field as usize] > 0 {
                    *most = most.max(no_less(evidence.bits[field.field as usize]));
                }
            }
        }
        if self.is_needed(self.most_of(pair)) {
            let place = self.new_place();
            said.iter().for_each(|(_, evidence)| self.add_evidence(place, evidence));
            self.put(pair, place);
        }
    }

    /// No less than what a pair may weigh against strangers, by its best pairs of nodes.
    fn most_of(&self, pair: usize) -> f64 {
        let fields = self.fields.len();
        let spoken = &self.most[pair * fields..(pair + 1) * fields];
        let spoken = spoken.iter().filter(|most| **most > f32::NEG_INFINITY);
        self.model.parameters.prior_bits + spoken.map(|most| f64::from(*most)).sum::<f64>()
    }

    /// The number of a pair.
    pub(super) fn pair(&self, i: usize, j: usize) -> usize {
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
        let has_room = |(level, has_room): (&u8, &bool)| *level == 0 || *has_room;
        if evidence.levels.iter().zip(&self.has_room).all(has_room) {
            return;
        }
        for (level, has_room) in evidence.levels.iter().zip(&mut self.has_room) {
            *has_room |= *level > 0;
        }
        let before = std::mem::take(&mut self.fields);
        let has_room = |field: &&FieldModel| self.has_room[field.field as usize];
        self.fields = self.model.used().filter(has_room).collect();
        let place = |field: &FieldModel| before.iter().position(|it| it.field == field.field);
        let places: Vec<Option<usize>> = self.fields.iter().map(|field| place(field)).collect();
        let pairs = self.nodes * (self.nodes - 1) / 2;
        let most = std::mem::replace(&mut self.most, Vec::with_capacity(pairs * places.len()));
        widen(&most, before.len(), &places, f32::NEG_INFINITY, &mut self.most);
        let said = std::mem::take(&mut self.said);
        widen(&said, before.len(), &places, Said::NOTHING, &mut self.said);
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
                *said = said.and(Said::of(bits));
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
    pub(super) fn keep_apart(&mut self, kept: usize, joined: usize) {
        let pair = self.pair(kept, joined);
        self.conflicts[pair] = true;
        self.best[kept] = self.best_partner(kept);
    }

    /// The match weight of two groups from what their fields say, which must be known.
    pub(super) fn weight(&self, pair: usize) -> f64 {
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

    pub(super) fn strongest(&self) -> Option<(usize, usize, f64)> {
        let mut strongest: Option<(usize, usize, f64)> = None;
        for (node, best) in self.best.iter().enumerate() {
            if let Some((partner, weight)) = best
                && self.alive[node]
                && strongest.is_none_or(|(_, _, most)| *weight > most)
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
                && best.is_none_or(|(_, most)| self.weights[at] > most)
            {
                best = Some((partner, self.weights[at]));
            }
        }
        best
    }

    pub(super) fn merge(&mut self, kept: usize, joined: usize) {
        self.alive[joined] = false;
        self.best[joined] = None;
        for other in (0..self.nodes).filter(|other| *other != kept && *other != joined) {
            // Two groups that merge are compared both, or neither is.
            if !self.alive[other] || !(self.compared[kept] || self.compared[other]) {
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
        for at in 0..fields {
            let of_gone = self.most[gone * fields + at];
            let of_pair = &mut self.most[pair * fields + at];
            *of_pair = of_pair.max(of_gone);
        }
        let place = match (self.places[pair], self.places[gone]) {
            (Some(place), Some(of_gone)) => {
                for (at, from) in self.range(place).zip(self.range(of_gone)) {
                    self.said[at] = self.said[at].and(self.said[from]);
                }
                place
            }
            _ if !self.is_needed(self.most_of(pair)) => {
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
        for (i, j) in pairs(&self.members[group], &self.members[other]).collect::<Vec<_>>() {
            let evidence = (self.evidence)(i, j);
            self.add_evidence(place, &evidence);
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
                self.offer(node, kept);
            }
        }
    }

    /// Makes a group of a higher number the best partner of another where it is.
    fn offer(&mut self, node: usize, partner: usize) {
        let at = self.pair(node, partner);
        let weight = self.weights[at];
        let wins = self.best[node]
            .is_none_or(|(best, most)| weight > most || (weight == most && partner < best));
        if wins && !self.conflicts[at] {
            self.best[node] = Some((partner, weight));
        }
    }
}

/// The pairs of two groups' nodes, the lower first in each.
fn pairs<'a>(left: &'a [usize], right: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    let ordered = |i: usize, j: usize| (i.min(j), i.max(j));
    left.iter().flat_map(move |i| right.iter().map(move |j| ordered(*i, *j)))
}

/// Rows of so many columns with others between them: by column, its number before; empty where it is new.
fn widen<T: Copy>(
    rows: &[T],
    columns: usize,
    before: &[Option<usize>],
    empty: T,
    into: &mut Vec<T>,
) {
    for row in rows.chunks(columns.max(1)) {
        into.extend(before.iter().map(|at| at.map_or(empty, |at| row[at])));
    }
}

/// The least number of less precision that is no less.
fn no_less(bits: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "what is cut off is made up for")]
    let nearest = bits as f32;
    if f64::from(nearest) < bits { nearest.next_up() } else { nearest }
}
