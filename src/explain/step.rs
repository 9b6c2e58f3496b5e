//! What do two groups of records say together, field by field?

use serde::Serialize;

use super::pair::Sum;
use super::weighing::Weighing;
use super::{as_text, as_texts};
use crate::cluster::Said;
use crate::record::{Field, RecordKey};
use crate::score::Evidence;

/// What two groups of records say about being of one person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Between {
    /// How many records each group has.
    pub sizes: [usize; 2],
    /// The fields that both groups have, in the order of the model.
    pub fields: Vec<GroupTerm>,
    /// What they come to.
    #[serde(flatten)]
    pub sum: Sum,
    /// The pairs of records that can never be of one person, which keep the groups apart.
    #[serde(serialize_with = "as_key_pairs")]
    pub conflicts: Vec<[RecordKey; 2]>,
}

/// What one field says between two groups: `best_share` of the best pair, the rest of the mean, and `apart_bits`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupTerm {
    /// The field.
    #[serde(skip)]
    pub field: Field,
    /// Its name in the model.
    #[serde(rename = "field")]
    pub name: String,
    /// How many pairs of records have a value.
    pub pairs: u32,
    /// The records of the best pair.
    #[serde(serialize_with = "as_texts")]
    pub best: [RecordKey; 2],
    /// Their values.
    pub values: [String; 2],
    /// Their level of agreement, 1 the best.
    pub level: u8,
    /// That level in words.
    pub label: String,
    /// Their bits.
    pub best_bits: f64,
    /// The mean of all pairs' bits.
    pub mean_bits: f64,
    /// How much the best pair counts.
    pub best_share: f64,
    /// What it takes off, in bits, because the groups have no identifier in common.
    pub apart_bits: f64,
    /// What it comes to in bits, against strangers.
    pub bits: f64,
    /// What it comes to in bits, against household mates.
    pub household_bits: f64,
}

/// A merge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its place in the order of merges, from 1.
    pub number: usize,
    /// The group that stayed, by its lowest record.
    #[serde(serialize_with = "as_text")]
    pub kept: RecordKey,
    /// The group that joined it, by its lowest record.
    #[serde(serialize_with = "as_text")]
    pub joined: RecordKey,
    /// Whether a judgement joined them, whatever they say.
    pub judged: bool,
    /// What the two said, the group that stayed first.
    #[serde(flatten)]
    pub between: Between,
}

fn as_key_pairs<S: serde::Serializer>(
    pairs: &[[RecordKey; 2]],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(pairs.iter().map(|pair| pair.map(|key| key.to_string())))
}

impl Between {
    /// What two groups of records say, given what each pair says.
    pub(super) fn of(
        weighing: &Weighing<'_>,
        left: &[usize],
        right: &[usize],
        evidence: &dyn Fn(usize, usize) -> Evidence,
    ) -> Self {
        let mut said = [Said::NOTHING; Field::COUNT];
        let mut best: [Option<(usize, usize, u8)>; Field::COUNT] = [None; Field::COUNT];
        let mut conflicts = Vec::new();
        for (i, j) in left.iter().flat_map(|i| right.iter().map(move |j| (*i, *j))) {
            let evidence = evidence(i, j);
            if evidence.is_conflict(weighing.model) {
                conflicts.push([weighing.keys[i], weighing.keys[j]]);
            }
            for field in Field::ALL {
                let at = field as usize;
                let (level, bits) = (evidence.levels[at], evidence.bits[at]);
                if level > 0 {
                    if bits > said[at].max {
                        best[at] = Some((i, j, level));
                    }
                    said[at] = said[at].and(Said::of(bits));
                }
            }
        }
        let model = weighing.model;
        let in_common = |field: Field| said[field as usize].is_in_common(model.field(field));
        let in_common = Field::ALL.into_iter().any(in_common);
        let term = |field: Field| {
            let (i, j, level) = best[field as usize]?;
            let said = said[field as usize];
            let apart = if in_common { 0.0 } else { said.apart_bits(model.field(field), model) };
            Some(GroupTerm::of(weighing, field, (said, apart), [i, j], level))
        };
        let fields: Vec<GroupTerm> = Field::ALL.into_iter().filter_map(term).collect();
        let terms = fields.iter().map(|term| (term.bits, term.household_bits));
        let sum = Sum::of(terms, weighing.model);
        Self { sizes: [left.len(), right.len()], fields, sum, conflicts }
    }
}

impl GroupTerm {
    fn of(
        weighing: &Weighing<'_>,
        field: Field,
        (said, apart_bits): (Said, f64),
        best: [usize; 2],
        level: u8,
    ) -> Self {
        let of_field = weighing.model.field(field);
        let bits = said.bits(of_field, weighing.model) + apart_bits;
        let value = |at: usize| weighing.value(at, field).unwrap_or_default().to_owned();
        Self {
            field,
            name: of_field.name().to_owned(),
            pairs: said.pairs,
            best: best.map(|at| weighing.keys[at]),
            values: best.map(value),
            level,
            label: of_field.label(level),
            best_bits: said.max,
            mean_bits: said.mean_bits(),
            best_share: Said::best_share(of_field, weighing.model),
            apart_bits,
            bits,
            household_bits: of_field.household_evidence(bits),
        }
    }
}
