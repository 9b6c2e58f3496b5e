//! The records of one question, ready to be weighed against one another.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::pair::Pair;
use super::step::{Between, Step};
use crate::cluster::{By, Constraints, Merge, agglomerate};
use crate::record::{Field, Identity, RecordKey};
use crate::score::{Evidence, Features, Model, Scorer, Symbol, Terms};

/// Some records under a model, with what must be known of all records together.
pub struct Weighing<'a> {
    pub(super) model: &'a Model,
    pub(super) keys: Vec<RecordKey>,
    pub(super) identities: Vec<Identity>,
    features: Vec<Features>,
    terms: Terms,
    people: FxHashMap<(Field, Symbol), f64>,
    constraints: Constraints,
}

impl<'a> Weighing<'a> {
    /// Prepares records, which must ascend by key to be merged as the matcher merges them.
    ///
    /// `people(field, value)` says how many people seem to use an identifier value; it is asked
    /// once for each that several of the records carry, and for each of a field with a limit.
    pub fn new<E>(
        model: &'a Model,
        records: Vec<(RecordKey, Identity)>,
        mut people: impl FnMut(Field, &str) -> Result<f64, E>,
    ) -> Result<Self, E> {
        let mut terms = Terms::default();
        let (keys, identities): (Vec<RecordKey>, Vec<Identity>) = records.into_iter().unzip();
        let features: Vec<Features> =
            identities.iter().map(|identity| terms.features(identity, model)).collect();
        let mut carriers: BTreeMap<(Field, Symbol), u32> = BTreeMap::new();
        let is_limited = |field: Field| model.field(field).limit.is_some();
        let is_shared = |field: &Field| model.field(*field).sharing.is_some() || is_limited(*field);
        for field in Field::ALL.into_iter().filter(is_shared) {
            for symbol in features.iter().map(|f| f.symbol(field)).filter(|symbol| *symbol != 0) {
                *carriers.entry((field, symbol)).or_default() += 1;
            }
        }
        let mut known = FxHashMap::default();
        for ((field, symbol), carriers) in carriers {
            if carriers > 1 || is_limited(field) {
                known.insert((field, symbol), people(field, terms.text(symbol))?);
            }
        }
        let constraints = Constraints::NONE;
        Ok(Self { model, keys, identities, features, terms, people: known, constraints })
    }

    /// The same records, of which something was judged, by their places.
    #[must_use]
    pub fn judged(self, constraints: Constraints) -> Self {
        Self { constraints, ..self }
    }

    /// Whether any record of the one group was judged apart from any of the other.
    pub fn judged_apart(&self, left: &[usize], right: &[usize]) -> bool {
        let across = |a: &usize, b: &usize| left.contains(a) && right.contains(b);
        self.constraints.apart.iter().any(|(a, b)| across(a, b) || across(b, a))
    }

    /// The value that is compared, or that would be where the model did not keep it out.
    pub(super) fn value(&self, record: usize, field: Field) -> Option<&str> {
        let heard = self.terms.value(&self.features[record], field);
        heard.or_else(|| self.identities[record].value(field))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What two records say.
    pub fn evidence(&self, left: usize, right: usize) -> Evidence {
        let people = |field, symbol| self.people.get(&(field, symbol)).copied().unwrap_or(1.0);
        let scorer = Scorer::new(&self.terms, self.model);
        scorer.compare(&self.features[left], &self.features[right], people)
    }

    /// What two records say, term by term.
    pub fn pair(&self, left: usize, right: usize) -> Pair {
        let people = |field: Field| {
            let symbol = self.features[left].symbol(field);
            self.people.get(&(field, symbol)).copied().unwrap_or(1.0)
        };
        let evidence = self.evidence(left, right);
        Pair::of(self, [left, right], &evidence, people)
    }

    /// What two groups of the records say together.
    pub fn between(&self, left: &[usize], right: &[usize]) -> Between {
        Between::of(self, left, right, &|i, j| self.evidence(i, j))
    }

    /// The merges that join the records, in the order in which they were made.
    pub fn steps(&self) -> Vec<Step> {
        let all = self.all_evidence();
        let mut groups = Groups::new(self.len());
        let merges = self.merges(&all).into_iter().zip(1..);
        let step = |(merge, number): (Merge, usize)| {
            let [kept, joined] = groups.merge(merge);
            let between = Between::of(self, &kept, &joined, &|i, j| all.of(i, j));
            self.step(number, merge, between)
        };
        merges.map(step).collect()
    }

    /// Of the merges that join the records, those that led two of them into one group, and how many
    /// merges there are. The last of them joined the two; none where they stay apart.
    pub fn path(&self, left: usize, right: usize) -> (Vec<Step>, usize) {
        let all = self.all_evidence();
        let merges = self.merges(&all);
        let mut groups = Groups::new(self.len());
        let mut path = Vec::new();
        for (merge, number) in merges.iter().copied().zip(1..) {
            let [kept, joined] = groups.merge(merge);
            let holds = |node: &usize| kept.contains(node) || joined.contains(node);
            if holds(&left) || holds(&right) {
                let between = Between::of(self, &kept, &joined, &|i, j| all.of(i, j));
                path.push(self.step(number, merge, between));
            }
            if holds(&left) && holds(&right) {
                return (path, merges.len());
            }
        }
        (Vec::new(), merges.len())
    }

    fn step(&self, number: usize, merge: Merge, between: Between) -> Step {
        let (kept, joined) = (self.keys[merge.kept], self.keys[merge.joined]);
        Step { number, kept, joined, judged: merge.by == By::Judgement, between }
    }

    fn merges(&self, all: &AllEvidence) -> Vec<Merge> {
        agglomerate(self.len(), self.model, &self.constraints, |i, j| all.of(i, j))
    }

    fn all_evidence(&self) -> AllEvidence {
        let rows = (0..self.len()).into_par_iter();
        let row = |i: usize| (i + 1..self.len()).map(|j| self.evidence(i, j)).collect();
        AllEvidence(rows.map(row).collect())
    }
}

/// What all pairs say, by the lower record, then by the higher.
struct AllEvidence(Vec<Vec<Evidence>>);

impl AllEvidence {
    fn of(&self, i: usize, j: usize) -> Evidence {
        let (low, high) = if i < j { (i, j) } else { (j, i) };
        self.0[low][high - low - 1].clone()
    }
}

/// The groups as merges go on.
struct Groups(Vec<Vec<usize>>);

impl Groups {
    fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|node| vec![node]).collect())
    }

    /// Makes a merge; returns the two groups as they were before.
    fn merge(&mut self, merge: Merge) -> [Vec<usize>; 2] {
        let joined = std::mem::take(&mut self.0[merge.joined]);
        let kept = self.0[merge.kept].clone();
        self.0[merge.kept].extend(&joined);
        [kept, joined]
    }
}
