//! What can be learnt of a set of records without a single label?
//!
//! ```text
//! records ─ bulk candidates ─ levels ─┬─ u: random pairs
//!                                     ├─ m: one EM session a blocking rule, on the fields outside the rule
//!                                     ├─ priors: EM over all candidates
//!                                     └─ provisional customers → u and term frequencies anew → once more
//!                                                              └─ expected precision → threshold
//! ```
//!
//! Three classes are told apart: one customer, two of one household, two strangers. A household mate agrees on a field
//! as one customer would in a share η of the cases ([`crate::score::FieldModel::household_share`]), which leaves no
//! free parameter to the third class; without it, EM learns households as matches.
//!
//! **Invariants:** pure; a function of the set of records: random pairs are drawn over the order of the record keys.
//! The model that comes out holds no value that fewer than [`Settings::least_carriers`] provisional customers have.
//!
//! **Source:** Fellegi and Sunter (1969); EM with a fixed u and per-rule sessions as in Splink (Linacre et al. 2022);
//! the household class is ours.

mod em;
mod email;
mod frequency;
mod prior;
mod random;
mod threshold;

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::cluster::Merge;
use crate::error::{Error, Result};
use crate::record::{Field, Identity, RecordKey};
use crate::resolve::bulk::{Bulk, Edge, Pair};
use crate::score::{Evidence, Levels, Model, Training};

/// How training goes about it. [`Settings::default`] is what was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Random pairs that u is estimated from.
    pub random_pairs: usize,
    /// Records that are too few to learn from.
    pub least_records: usize,
    /// Rounds over provisional customers.
    pub rounds: usize,
    /// The share of doubtful merges that must be right at the threshold, as the model expects it.
    pub precision: f64,
    /// Values of fewer provisional customers are not listed by name in the model.
    pub least_carriers: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            random_pairs: 300_000,
            least_records: 200,
            rounds: 1,
            precision: 0.93,
            least_carriers: 2,
        }
    }
}

/// What training found.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The frozen model.
    pub model: Model,
    /// What the model was made from, for people.
    pub report: Report,
}

/// What a model was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Records.
    pub records: usize,
    /// Candidate pairs.
    pub candidates: usize,
    /// Provisional customers.
    pub customers: usize,
    /// The EM sessions: rule, pairs, expected matches, rounds.
    pub sessions: Vec<Session>,
    /// The records' keys, ascending.
    pub keys: Vec<RecordKey>,
    /// The merges down to the lowest threshold, by component; nodes are indexes into `keys`.
    pub merges: Vec<Vec<Merge>>,
}

impl Report {
    /// Which cluster each record is in at a threshold; a cluster is named by its lowest record's index.
    pub fn clusters_at(&self, threshold_bits: f64) -> Vec<(RecordKey, usize)> {
        let mut parent: Vec<usize> = (0..self.keys.len()).collect();
        for merges in &self.merges {
            let kept = merges.iter().take_while(|merge| merge.weight_bits >= threshold_bits);
            kept.for_each(|merge| parent[merge.joined] = merge.kept);
        }
        let root = |mut at: usize| {
            while parent[at] != at {
                at = parent[at];
            }
            at
        };
        self.keys.iter().enumerate().map(|(at, key)| (*key, root(at))).collect()
    }
}

/// One EM session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The blocking rule's name.
    pub rule: String,
    /// Pairs that meet under it.
    pub pairs: usize,
    /// How many of them are expected to be of one customer.
    pub matches: f64,
    /// Rounds until it stood still.
    pub rounds: usize,
}

/// Learns a model from records alone, on the ground of `base` (its caps, household shares and floors stay).
///
/// **Errors:** `Invalid` where there are too few records or too few of them agree on anything.
pub fn train(
    base: &Model,
    records: Vec<(RecordKey, Identity)>,
    settings: &Settings,
) -> Result<Trained> {
    if records.len() < settings.least_records {
        return Err(Error::invalid(format!(
            "{} records are too few to learn from: give at least {}, or use the built-in model (leave out match.model)",
            records.len(),
            settings.least_records
        )));
    }
    let mut model = base.clone();
    model.email = email::learn(&records);
    model.parameters.names_from_email = true;
    let bulk = Bulk::new(&model, records);
    Trainer::new(&bulk, settings, model).run()
}

struct Trainer<'a> {
    bulk: &'a Bulk,
    settings: &'a Settings,
    model: Model,
    defaults: Model,
    /// The fields that any two records can be compared on.
    fields: Vec<Field>,
    pairs: Vec<Pair>,
    levels: Vec<Levels>,
    random: Vec<(Pair, Levels)>,
    sessions: Vec<Session>,
    customers: usize,
}

impl<'a> Trainer<'a> {
    fn new(bulk: &'a Bulk, settings: &'a Settings, mut model: Model) -> Self {
        let records = bulk.len() as f64;
        let defaults = model.clone();
        model.parameters.prior_bits = -records.log2();
        model.parameters.household_bits = 0.0;
        model.parameters.entities = records;
        let pairs = bulk.pairs();
        let levels = pairs.par_iter().map(|pair| bulk.levels(&model, *pair)).collect();
        let random = random::pairs(bulk.len(), settings.random_pairs);
        let random = random.into_par_iter().map(|pair| (pair, bulk.levels(&model, pair))).collect();
        let has_values = |field: &Field| {
            let places = (0..).take(bulk.len());
            places.filter(|place| bulk.value(*place, *field).is_some()).take(2).count() == 2
        };
        let fields = Field::ALL.into_iter().filter(has_values).collect();
        let (sessions, customers) = (Vec::new(), bulk.len());
        Self { bulk, settings, model, defaults, fields, pairs, levels, random, sessions, customers }
    }

    fn run(mut self) -> Result<Trained> {
        random::estimate_u(&mut self.model, &self.defaults, &self.fields, self.random.iter());
        let alone: Vec<Vec<u32>> = (0..).take(self.bulk.len()).map(|place| vec![place]).collect();
        frequency::learn(&mut self.model, self.bulk, &alone, &self.fields, 1);
        self.learn_agreement()?;
        for _ in 0..self.settings.rounds {
            self.learn_from_customers();
            self.learn_agreement()?;
        }
        self.finish()
    }

    /// m, and the priors.
    fn learn_agreement(&mut self) -> Result<()> {
        self.run_sessions()?;
        let scores = self.scores();
        let swaps = self.levels.iter().map(|levels| levels.swapped);
        let priors = prior::estimate(&scores, swaps, self.bulk.len());
        self.model.parameters.prior_bits = priors.match_bits;
        self.model.parameters.household_bits = priors.household_bits;
        Ok(())
    }

    /// One EM session for each blocking rule that brings enough pairs, on the fields outside the rule.
    fn run_sessions(&mut self) -> Result<()> {
        let rules = self.bulk.pairs_by_rule().par_iter().enumerate();
        let learnt: Vec<em::Learnt> = rules
            .filter_map(|(rule, pairs)| {
                let rule = &self.model.rules[rule];
                let agreed: Vec<Field> = rule.fields().collect();
                let fields: Vec<Field> =
                    self.fields.iter().copied().filter(|field| !agreed.contains(field)).collect();
                let place = |pair: &Pair| self.pairs.binary_search(pair).ok();
                let levels = pairs.iter().filter_map(place).map(|at| &self.levels[at].of_field);
                em::session(rule, levels, &fields, &self.model, &self.defaults)
            })
            .collect();
        if learnt.is_empty() {
            return Err(Error::invalid(
                "too few records agree on anything to learn from: give more records of the same customers, or use the \
                 built-in model (leave out match.model)",
            ));
        }
        em::average(&mut self.model, &learnt);
        self.sessions = learnt.into_iter().map(|learnt| learnt.session).collect();
        Ok(())
    }

    /// What each candidate pair says, without any prior. Not the evidence itself: that of millions of pairs is too large.
    fn scores(&self) -> Vec<prior::Scores> {
        let pairs = self.pairs.par_iter().zip(&self.levels);
        let evidence =
            |(pair, levels): (&Pair, &Levels)| self.bulk.weigh(&self.model, *pair, *levels);
        pairs.map(evidence).map(|evidence| prior::Scores::of(&evidence, &self.model)).collect()
    }

    fn edges(&self, model: &Model) -> Vec<Edge> {
        let pairs = self.pairs.par_iter().zip(&self.levels);
        pairs.filter_map(|(pair, levels)| self.bulk.edge(model, *pair, *levels)).collect()
    }

    /// u over pairs of different provisional customers, and term frequencies over customers instead of records.
    fn learn_from_customers(&mut self) {
        let mut provisional = self.model.clone();
        provisional.parameters.edge_bits = 0.0;
        provisional.parameters.threshold_bits = -2.0;
        provisional.parameters.best_share = 0.5;
        let partition = self.bulk.partition(&provisional, &self.edges(&provisional));
        let mut customer_of = vec![0_u32; self.bulk.len()];
        for (cluster, number) in partition.clusters.iter().zip(0..) {
            cluster.iter().for_each(|place| customer_of[*place as usize] = number);
        }
        self.customers = partition.clusters.len();
        self.model.parameters.entities = self.customers as f64;
        let apart = |pair: &&(Pair, Levels)| {
            let (left, right) = pair.0;
            customer_of[left as usize] != customer_of[right as usize]
        };
        let random = self.random.iter().filter(apart);
        random::estimate_u(&mut self.model, &self.defaults, &self.fields, random);
        let least = self.settings.least_carriers;
        frequency::learn(&mut self.model, self.bulk, &partition.clusters, &self.fields, least);
        self.model.parameters.name_pairing_bits =
            frequency::name_pairing_bits(self.bulk, &partition.clusters);
    }

    fn finish(mut self) -> Result<Trained> {
        self.model.parameters.household_bits =
            prior::household(&self.scores(), self.model.parameters.prior_bits, self.bulk.len());
        // The decided groups of every threshold from the lowest on follow from one agglomeration.
        let lowest = self.defaults.parameters.threshold_bits;
        self.model.parameters.threshold_bits = lowest;
        self.model.parameters.edge_bits = lowest;
        let partition = self.bulk.partition(&self.model, &self.edges(&self.model));
        let expected = threshold::expected(&partition.merges, lowest);
        let threshold = threshold::choose(&partition.merges, lowest, self.settings.precision);
        let edge = threshold::edge(lowest, threshold);
        self.model.parameters.edge_bits = edge;
        self.model.parameters.threshold_bits = threshold;
        let records = self.bulk.len();
        self.model.training = Some(Training {
            records: records as u64,
            customers: self.customers as u64,
            threshold_bits: threshold,
            edge_bits: Some(edge),
            expected,
        });
        self.model.provenance = format!(
            "trained without labels on {records} records, about {} customers",
            self.customers
        );
        let report = Report {
            records,
            candidates: self.pairs.len(),
            customers: self.customers,
            sessions: self.sessions,
            keys: self.bulk.keys().to_vec(),
            merges: partition.merges,
        };
        Ok(Trained { model: self.model, report })
    }
}
