//! Which records do the sources of a pipeline hold, all at once and without a state?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use super::batch::{Prepared, Readers};
use super::query::open_reader;
use crate::config::Plan;
use crate::error::{Error, Result};
use crate::record::{Identity, Micros, RecordKey};
use crate::source::{self, Input, Positions};

/// Messages that are read at once.
const AT_ONCE: usize = 10_000;

/// The records of a pipeline's sources.
#[derive(Default)]
pub struct Gathered {
    /// Each record once, ascending by key; of a keyed row the newest version.
    pub records: BTreeMap<RecordKey, Identity>,
    /// Which record each event, or each row of a keyed source, is, by its id.
    pub references: Vec<(Arc<str>, RecordKey)>,
    /// Messages that are no event.
    pub rejected: u64,
    versions: BTreeMap<RecordKey, (Micros, [u8; 16])>,
}

/// Reads all sources to their end.
///
/// **Errors:** `Invalid` where a source has no end; those of the sources.
pub fn gather(plan: &Plan) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    let readers = Readers::new(plan);
    let mut seen = FxHashSet::default();
    for plan in &plan.sources {
        if matches!(plan.input, Input::Kafka(_)) {
            return Err(Error::invalid(format!(
                "[source.{}]: a topic has no end to read to: give files with --input, or learn from the state",
                plan.name
            )));
        }
        let mut source = source::open(plan, &Positions::new())?;
        while let Some(batch) = source.next(AT_ONCE, Duration::ZERO)? {
            for prepared in readers.prepare(&batch.messages) {
                match prepared {
                    Ok(prepared) if seen.insert(prepared.key) => gathered.take(prepared),
                    Ok(_) => {}
                    Err(_) => gathered.rejected += 1,
                }
            }
        }
    }
    Ok(gathered)
}

/// The records that the job of a pipeline keeps.
///
/// **Errors:** as [`super::inspect`].
pub fn kept_records(plan: &Plan) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    let reader = open_reader(&plan.state.path)?;
    for row in reader.clusters()? {
        let (_, node) = row?;
        let absent = || Error::data("state: an identity's member has no record");
        let row = reader.record(node)?.ok_or_else(absent)?;
        gathered.records.insert(row.key, row.identity);
    }
    Ok(gathered)
}

impl Gathered {
    fn take(&mut self, Prepared { event, key, record, normalised }: Prepared) {
        let identity = normalised.identity;
        let id = event.record_id.as_deref().unwrap_or(&event.event_id);
        let version = (event.occurred_at, key.0);
        if event.record_id.is_none() || !self.records.contains_key(&record) {
            self.references.push((id.into(), record));
        }
        let known = self.versions.get(&record).is_some_and(|known| *known > version);
        if event.record_id.is_none() || !known {
            self.versions.insert(record, version);
            self.records.insert(record, identity);
        }
    }
}
