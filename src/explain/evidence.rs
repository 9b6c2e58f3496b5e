//! Which rows say how identities came together, for those who ask many at once?

use super::{Between, Step};
use crate::record::{IdentityId, RecordKey};

/// One term of one merge: a row of the table `match_evidence`. Holds no personal value.
///
/// The bits of a merge's rows add up to its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceRow {
    /// The identity.
    pub identity: IdentityId,
    /// The merge's place in the order of those that made the identity, from 1.
    pub step: u64,
    /// The group that stayed, by its lowest record.
    pub kept: RecordKey,
    /// The group that joined it, by its lowest record.
    pub joined: RecordKey,
    /// How many records each had.
    pub sizes: [u64; 2],
    /// Whether a judgement joined them, whatever they say.
    pub judged: bool,
    /// The field's name, `prior` or `household`.
    pub term: String,
    /// What there is to say of a field.
    pub field: Option<FieldEvidence>,
    /// What the term comes to.
    pub bits: f64,
    /// What the merge comes to.
    pub weight_bits: f64,
}

/// What is particular to the term of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldEvidence {
    /// How many pairs of records have a value.
    pub pairs: u64,
    /// The level of the best pair's agreement, 1 the best.
    pub level: u8,
    /// That level in words.
    pub label: String,
    /// The best pair's records.
    pub best: [RecordKey; 2],
    /// The best pair's bits.
    pub best_bits: f64,
    /// The mean of all pairs' bits.
    pub mean_bits: f64,
    /// What the term comes to against household mates.
    pub household_bits: f64,
}

impl Step {
    /// The rows of a merge: the prior, each field, and what household mates take off.
    pub fn rows(&self, identity: IdentityId) -> Vec<EvidenceRow> {
        let Between { sizes, fields, sum, .. } = &self.between;
        let row = |term: &str, bits, field| EvidenceRow {
            identity,
            step: self.number as u64,
            kept: self.kept,
            joined: self.joined,
            sizes: sizes.map(|size| size as u64),
            term: term.to_owned(),
            judged: self.judged,
            field,
            bits,
            weight_bits: sum.weight_bits,
        };
        let mut rows = vec![row("prior", sum.prior_bits, None)];
        rows.extend(fields.iter().map(|term| {
            let field = FieldEvidence {
                pairs: u64::from(term.pairs),
                level: term.level,
                label: term.label.clone(),
                best: term.best,
                best_bits: term.best_bits,
                mean_bits: term.mean_bits,
                household_bits: term.household_bits,
            };
            row(&term.name, term.bits, Some(field))
        }));
        rows.push(row("household", sum.discount_bits, None));
        rows
    }
}
