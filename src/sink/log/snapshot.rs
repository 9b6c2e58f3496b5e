//! What is the table after the entries read so far?

use std::collections::BTreeMap;

use super::action::{Add, Line, MetaData, Protocol, Remove};

/// How long a replaced file's tombstone stays in checkpoints, by commit time: a reader of an older
/// version has that long before another tool's vacuum may take its files. Stated in the table's
/// properties.
pub(in crate::sink) const RETENTION_DAYS: i64 = 1;

/// The state of a table at one version.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::sink) struct Snapshot {
    pub(in crate::sink) version: u64,
    /// The version of the latest checkpoint.
    pub(in crate::sink) checkpoint: Option<u64>,
    pub(in crate::sink) protocol: Protocol,
    pub(in crate::sink) meta_data: MetaData,
    /// How far each application has come.
    pub(in crate::sink) txns: BTreeMap<String, i64>,
    /// The live files by path.
    pub(in crate::sink) files: BTreeMap<String, Add>,
    /// Tombstones of files that were replaced, by path.
    pub(in crate::sink) removed: BTreeMap<String, Remove>,
}

impl Snapshot {
    /// Takes up one line of an entry or row of a checkpoint.
    pub(in crate::sink) fn apply(&mut self, line: Line) {
        if let Some(protocol) = line.protocol {
            self.protocol = protocol;
        }
        if let Some(meta_data) = line.meta_data {
            self.meta_data = meta_data;
        }
        if let Some(txn) = line.txn {
            self.txns.insert(txn.app_id, txn.version);
        }
        // What was a change when it was committed is a fact in the sum.
        if let Some(remove) = line.remove {
            self.files.remove(&remove.path);
            self.removed.insert(remove.path.clone(), Remove { data_change: false, ..remove });
        }
        if let Some(add) = line.add {
            self.removed.remove(&add.path);
            self.files.insert(add.path.clone(), Add { data_change: false, ..add });
        }
    }

    /// Takes up the entry of the next version.
    pub(in crate::sink) fn advance(&mut self, version: u64, lines: Vec<Line>) {
        for line in lines {
            self.apply(line);
        }
        self.version = version;
    }

    /// Lets go of tombstones that are older than the retention, seen from `time_ms`.
    pub(in crate::sink) fn expire(&mut self, time_ms: i64) {
        let oldest = time_ms.saturating_sub(RETENTION_DAYS * 86_400_000);
        self.removed.retain(|_, remove| remove.deletion_timestamp.unwrap_or(0) >= oldest);
    }

    /// Rows in live files.
    pub(in crate::sink) fn rows(&self) -> u64 {
        self.files.values().map(Add::rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_a_tombstone_until_the_retention_ends() {
        let add = Add { path: "a".into(), ..Add::default() };
        let mut table = Snapshot::default();
        table.advance(1, vec![Line { add: Some(add.clone()), ..Line::default() }]);
        assert!(table.files.contains_key("a"));
        table.advance(2, vec![Line { remove: Some(add.removed(1000)), ..Line::default() }]);
        assert!(table.files.is_empty());
        table.expire(1000 + 86_400_000);
        assert!(table.removed.contains_key("a"));
        table.expire(1001 + 86_400_000);
        assert!(table.removed.is_empty());
    }
}
