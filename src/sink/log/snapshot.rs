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
    /// The live files by path, each with its mask: no file is live twice.
    pub(in crate::sink) files: BTreeMap<String, Add>,
    /// Tombstones of files that were replaced, by path; none of a live file.
    pub(in crate::sink) removed: BTreeMap<String, Remove>,
}

impl Snapshot {
    /// Takes up the entry of the next version, or the checkpoint of one.
    ///
    /// The order of lines within an entry says nothing, and a file whose mask changes is taken out and
    /// added in one: what is taken out goes first.
    pub(in crate::sink) fn advance(&mut self, version: u64, mut lines: Vec<Line>) {
        // What was a change when it was committed is a fact in the sum.
        for remove in lines.iter_mut().filter_map(|line| line.remove.take()) {
            let live = self.files.get(&remove.path);
            if live.is_some_and(|add| add.deletion_vector == remove.deletion_vector) {
                self.files.remove(&remove.path);
            }
            self.removed.insert(remove.path.clone(), Remove { data_change: false, ..remove });
        }
        for line in lines {
            if let Some(protocol) = line.protocol {
                self.protocol = protocol;
            }
            if let Some(meta_data) = line.meta_data {
                self.meta_data = meta_data;
            }
            if let Some(txn) = line.txn {
                self.txns.insert(txn.app_id, txn.version);
            }
            if let Some(add) = line.add {
                // What is live is kept from a vacuum by that, so it needs no tombstone.
                self.removed.remove(&add.path);
                self.files.insert(add.path.clone(), Add { data_change: false, ..add });
            }
        }
        self.version = version;
    }

    /// Lets go of tombstones that are older than the retention, seen from `time_ms`.
    pub(in crate::sink) fn expire(&mut self, time_ms: i64) {
        let oldest = time_ms.saturating_sub(RETENTION_DAYS * 86_400_000);
        self.removed.retain(|_, remove| remove.deletion_timestamp.unwrap_or(0) >= oldest);
    }

    /// Rows of live files that are not masked.
    pub(in crate::sink) fn rows(&self) -> u64 {
        self.files.values().map(Add::live).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::DeletionVector;
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

    #[test]
    fn a_file_whose_mask_changes_stays_whatever_the_order_of_the_lines() {
        let vector = |cardinality| DeletionVector { cardinality, ..DeletionVector::default() };
        let stats = Some(r#"{"numRecords":9}"#.to_owned());
        let plain = Add { path: "a".into(), stats, ..Add::default() };
        let one = plain.masked_by(vector(1));
        let two = plain.masked_by(vector(2));
        let added = |add: &Add| Line { add: Some(add.clone()), ..Line::default() };
        let removed = |add: &Add| Line { remove: Some(add.removed(5)), ..Line::default() };
        let mut table = Snapshot::default();
        table.advance(1, vec![added(&plain)]);
        assert_eq!((table.rows(), table.removed.len()), (9, 0));
        table.advance(2, vec![added(&one), removed(&plain)]);
        assert_eq!((table.rows(), table.removed.len()), (8, 0));
        table.advance(3, vec![removed(&one), added(&two)]);
        assert_eq!((table.rows(), table.removed.len()), (7, 0));
        // A tombstone of an earlier state does not take the later one out.
        table.advance(4, vec![removed(&one)]);
        assert_eq!(table.rows(), 7);
        table.advance(5, vec![removed(&two)]);
        assert_eq!((table.rows(), table.removed.len()), (0, 1));
    }
}
