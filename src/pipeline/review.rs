//! Which pairs of records would a person best judge?
//!
//! Half of the list are the decisions nearest the threshold; half those that do most harm if they are wrong: the pairs
//! of records that the opposite decision would join or part, times the chance, by the match weight, that it is right.
//! Of two groups of records the two that speak most for one person stand for all: judged together they join the
//! groups, judged apart they part them.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::index::{Opened, open_index};
use super::opening::open_resolved_state;
use super::registry::Registry;
use super::{ledger, model};
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::record::{Field, Identity, IdentityId, NodeId, RecordKey};
use crate::resolve::{Decision, Doubt, Resolver};

/// Decisions further than this from the threshold are not listed. **Units:** bits.
const WINDOW_BITS: f64 = 8.0;

/// What a person is asked to look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// Groups merge from this match weight.
    pub threshold_bits: f64,
    /// The pairs, the most urgent first.
    pub pairs: Vec<Reviewed>,
}

/// A pair of records that stands for two groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Reviewed {
    /// What was decided.
    pub decision: Decision,
    /// The match weight of the groups in bits.
    pub weight_bits: f64,
    /// The records.
    pub records: [ReviewedRecord; 2],
    /// How many records the group of each has.
    pub sizes: [usize; 2],
    /// Why it is listed.
    pub listed: Listed,
}

/// Why a pair is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Its weight is near the threshold.
    Nearest,
    /// It would do most harm if it were wrong.
    Effect,
    /// Both.
    Both,
}

/// A record of a review.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewedRecord {
    /// Its key.
    pub key: RecordKey,
    /// The source of its earliest event.
    pub source: Arc<str>,
    /// The source's own row key.
    pub record_id: Option<String>,
    /// The identity that it belongs to.
    pub belongs_to: Option<IdentityId>,
    /// What it is matched by.
    pub content: Identity,
}

impl ReviewedRecord {
    /// How a person names it: `source:row key`, or its key.
    pub fn reference(&self) -> String {
        match &self.record_id {
            Some(id) => format!("{}:{id}", self.source),
            None => self.key.to_string(),
        }
    }
}

impl Listed {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest the threshold",
            Self::Effect => "largest effect",
            Self::Both => "nearest the threshold, largest effect",
        }
    }
}

impl Reviewed {
    /// What was decided, in words.
    pub const fn decided(&self) -> &'static str {
        match self.decision {
            Decision::Merged => "together",
            Decision::Refused => "apart",
            Decision::Cut => "apart, not compared: their component was over its cap",
        }
    }
}

/// The pairs that a person would best judge, `limit` at most.
///
/// **Errors:** `Fenced` while a job has the state; `Invalid` where there is none yet.
pub fn review(plan: &Plan, limit: usize) -> Result<Review> {
    let mut store = open_resolved_state(&plan.state)?;
    let model = model::frozen(plan, &mut store)?;
    let Opened { registry, resolver, .. } = open_index(model, &store)?;
    // Nothing is written from here: the next question needs no replay.
    store.settle()?;
    let threshold_bits = resolver.model().parameters.threshold_bits;
    let doubts = resolver.doubts(WINDOW_BITS);
    let reviewed = |(at, listed): (usize, Listed)| {
        let doubt = &doubts[at];
        let [left, right] = resolver.strongest_pair(doubt);
        Ok(Reviewed {
            decision: doubt.decision,
            weight_bits: doubt.weight_bits,
            records: [record(&registry, &resolver, left)?, record(&registry, &resolver, right)?],
            sizes: doubt.groups.each_ref().map(Vec::len),
            listed,
        })
    };
    let chosen = choose(&doubts, threshold_bits, limit);
    Ok(Review { threshold_bits, pairs: chosen.into_iter().map(reviewed).collect::<Result<_>>()? })
}

/// The doubts to list, by index, the most urgent first, and why.
fn choose(doubts: &[Doubt], threshold_bits: f64, limit: usize) -> Vec<(usize, Listed)> {
    let ranked = |urgency: &dyn Fn(&Doubt) -> f64| {
        let mut order: Vec<usize> = (0..doubts.len()).collect();
        // Stable: what is equally urgent stays in the order of its records.
        order.sort_by(|a, b| urgency(&doubts[*b]).total_cmp(&urgency(&doubts[*a])));
        order
    };
    let nearest = ranked(&|doubt| match doubt.decision {
        Decision::Cut => f64::NEG_INFINITY,
        _ => -(doubt.weight_bits - threshold_bits).abs(),
    });
    let effect = ranked(&|doubt| {
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let pairs = doubt.pairs() as f64;
        pairs * chance_of_error(doubt)
    });
    let near = |at: &&usize| doubts[**at].decision != Decision::Cut;
    let mut chosen: Vec<(usize, Listed)> = nearest
        .iter()
        .filter(near)
        .take(limit.div_ceil(2))
        .map(|at| (*at, Listed::Nearest))
        .collect();
    for at in effect.into_iter().take(limit) {
        if let Some((_, listed)) = chosen.iter_mut().find(|(other, _)| *other == at) {
            *listed = Listed::Both;
        } else if chosen.len() < limit {
            chosen.push((at, Listed::Effect));
        }
    }
    chosen
}

/// The chance that a decision is wrong, as its match weight has it.
fn chance_of_error(doubt: &Doubt) -> f64 {
    let one_person = 1.0 / (1.0 + (-doubt.weight_bits).exp2());
    match doubt.decision {
        Decision::Merged => 1.0 - one_person,
        Decision::Refused | Decision::Cut => one_person,
    }
}

fn record(registry: &Registry, resolver: &Resolver, node: NodeId) -> Result<ReviewedRecord> {
    let absent = || Error::internal("a record of the index is not in the registry");
    let row = registry.node(node).ok_or_else(absent)?;
    Ok(ReviewedRecord {
        key: row.key,
        source: Arc::clone(&row.source),
        record_id: row.record_id.as_deref().map(Into::into),
        belongs_to: row.identity,
        content: resolver.identity(node).ok_or_else(absent)?,
    })
}

/// A row of the file, but for the fields.
#[derive(Serialize)]
struct Row<'a> {
    judgement: &'a str,
    reason: &'a str,
    left: String,
    right: String,
    decided: &'a str,
    weight_bits: f64,
    threshold_bits: f64,
    listed: &'a str,
    left_records: usize,
    right_records: usize,
    left_reference: String,
    right_reference: String,
    left_identity: Option<String>,
    right_identity: Option<String>,
}

/// The columns of [`Row`].
const COLUMNS: [&str; 14] = [
    "judgement",
    "reason",
    "left",
    "right",
    "decided",
    "weight_bits",
    "threshold_bits",
    "listed",
    "left_records",
    "right_records",
    "left_reference",
    "right_reference",
    "left_identity",
    "right_identity",
];

impl Review {
    /// Writes the list to a file, `.csv`, `.json` or `.jsonl`: one row a pair, the fields of both records side by side,
    /// the columns `judgement` and `reason` empty. Filled in, it is a file of judgements.
    ///
    /// **Errors:** `Invalid` for a name that says no format; `Unavailable` where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let has = |field: &Field| {
            let records = self.pairs.iter().flat_map(|pair| &pair.records);
            records.into_iter().any(|record| record.content.value(*field).is_some())
        };
        let fields: Vec<Field> = Field::ALL.into_iter().filter(has).collect();
        let mut columns: Vec<String> = COLUMNS.map(Into::into).to_vec();
        columns.extend(fields.iter().flat_map(|field| sides(field.name())));
        columns.extend(sides("other_names"));
        let rows = self.pairs.iter().map(|pair| self.row(pair, &fields));
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let rows = rows.collect::<Result<Vec<_>>>()?;
        if ledger::Format::of(path)? == ledger::Format::Csv {
            let cells = |row: &Map<String, Value>| {
                columns.iter().map(|name| cell(&row[*name])).collect::<Vec<_>>()
            };
            return ledger::write_rows(path, &columns, &rows.iter().map(cells).collect::<Vec<_>>());
        }
        ledger::write_rows(path, &columns, &rows)
    }

    fn row(&self, pair: &Reviewed, fields: &[Field]) -> Result<Map<String, Value>> {
        let [left, right] = &pair.records;
        let identity = |record: &ReviewedRecord| record.belongs_to.map(|id| id.to_string());
        let hundredths = |bits: f64| (bits * 100.0).round() / 100.0;
        let row = Row {
            judgement: "",
            reason: "",
            left: left.key.to_string(),
            right: right.key.to_string(),
            decided: pair.decided(),
            weight_bits: hundredths(pair.weight_bits),
            threshold_bits: hundredths(self.threshold_bits),
            listed: pair.listed.name(),
            left_records: pair.sizes[0],
            right_records: pair.sizes[1],
            left_reference: left.reference(),
            right_reference: right.reference(),
            left_identity: identity(left),
            right_identity: identity(right),
        };
        let Ok(Value::Object(mut row)) = serde_json::to_value(row) else {
            return Err(Error::internal("a row of a review is not an object"));
        };
        for field in fields {
            let values = pair.records.each_ref().map(|it| it.content.value(*field));
            let values = values.map(Value::from);
            row.extend(sides(field.name()).into_iter().zip(values));
        }
        let names = pair.records.each_ref().map(|it| it.content.name_tokens.join(" "));
        row.extend(sides("other_names").into_iter().zip(names.map(Value::from)));
        Ok(row)
    }
}

/// The columns of both records' values.
fn sides(name: &str) -> [String; 2] {
    [format!("left_{name}"), format!("right_{name}")]
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
