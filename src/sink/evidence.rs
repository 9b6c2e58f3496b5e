//! How do the terms of merges become columns?

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch};

use super::rows::{batch, hex, longs, optional_longs, optional_texts, texts};
use super::tables;
use crate::error::Result;
use crate::explain::{EvidenceRow, FieldEvidence};

/// The columns of `match_evidence`, of the state's commit `epoch`.
pub fn match_evidence(rows: &[EvidenceRow], epoch: u64) -> Result<RecordBatch> {
    let all = || rows.iter();
    let fields = || rows.iter().map(|row| row.field.as_ref());
    let best: Vec<_> =
        fields().map(|field| field.map(|f| f.best.map(|key| key.to_string()))).collect();
    let best = |side: usize| optional_texts(best.iter().map(|b| b.as_ref().map(|b| &*b[side])));
    let optional = |of: fn(&FieldEvidence) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter(fields().map(|field| field.map(of))))
    };
    let level = fields().map(|field| field.map(|field| i32::from(field.level)));
    batch(
        &tables::MATCH_EVIDENCE,
        vec![
            longs(all().map(|_| epoch)),
            hex(all().map(|row| &row.identity.0[..])),
            longs(all().map(|row| row.step)),
            hex(all().map(|row| &row.kept.0[..])),
            hex(all().map(|row| &row.joined.0[..])),
            longs(all().map(|row| row.sizes[0])),
            longs(all().map(|row| row.sizes[1])),
            Arc::new(BooleanArray::from_iter(all().map(|row| Some(row.judged)))),
            texts(all().map(|row| &*row.term)),
            Arc::new(Int32Array::from_iter(level)),
            optional_texts(fields().map(|field| field.map(|field| &*field.label))),
            Arc::new(Float64Array::from_iter_values(all().map(|row| row.bits))),
            optional(|field| field.household_bits),
            optional_longs(fields().map(|field| field.map(|field| field.pairs))),
            optional(|field| field.best_bits),
            optional(|field| field.mean_bits),
            best(0),
            best(1),
            Arc::new(Float64Array::from_iter_values(all().map(|row| row.weight_bits))),
        ],
    )
}
