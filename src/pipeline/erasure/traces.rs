//! Where in the tables is somebody who was erased?

use super::receipt::TableTrace;
use crate::error::{Error, Result};
use crate::record::Origin;
use crate::sink::{CommitInfo, Erasure, LetterPlace, Table, TableSpec};
use crate::state::PendingErasure;

/// The keys of rows that speak of whom was erased.
pub(in crate::pipeline) struct Traces {
    records: Vec<String>,
    letters: Vec<LetterPlace>,
}

impl Traces {
    pub(in crate::pipeline) fn of(pending: &[PendingErasure]) -> Self {
        let records = pending.iter().flat_map(|it| &it.records);
        let letter = |origin: &Origin| LetterPlace {
            source: origin.source.to_string(),
            partition: origin.partition.to_string(),
            offset: origin.offset,
        };
        Self {
            records: records.map(|record| record.key.to_string()).collect(),
            letters: pending.iter().flat_map(|it| &it.letters).map(letter).collect(),
        }
    }

    /// Which rows of a table go.
    pub(super) fn in_table(&self, spec: &TableSpec) -> Result<Erasure<'_>> {
        Ok(match spec.name {
            // The present row is gone already. A masked one may be of anybody whose profile the person was in.
            "profiles" | "profiles_marketing" | "suppression" => Erasure::Superseded,
            "identity_map" => Erasure::Keys { gone: &self.records, superseded: &[] },
            "interactions" | "consent_history" | "identity_changes" => {
                Erasure::Values { column: "record_key", values: &self.records }
            }
            "dead_letters" | "dead_letter_replays" => Erasure::Letters(&self.letters),
            name => return Err(Error::internal(format!("nobody can be erased from {name}"))),
        })
    }

    /// Takes the rows out of every file of a table's present version.
    pub(in crate::pipeline) async fn erase_from(
        &self,
        table: &mut Table,
        commit: &CommitInfo,
    ) -> Result<TableTrace> {
        let erased = table.erase(self.in_table(table.spec())?, commit).await?;
        Ok(TableTrace {
            rows: erased.rows,
            files: erased.replaced,
            version: table.version(),
            ..TableTrace::default()
        })
    }
}
