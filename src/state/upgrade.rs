//! How is a state of an earlier format brought up to date?
//!
//! What it lacks is written beside what it has: the lookups by record key and by identity, and, as one commit, what
//! `identity_changes` says of every record, for earlier versions of the program said nothing of records there. The format
//! is written last, so a crash before leaves the state of its format, and the next opening begins again.

use super::keyspace::{Outbox, Space, Writes, cluster_key, outbox_key};
use super::row::{Head, NodeId, RecordRow, encode, encode_chunks};
use super::store::{BATCH_ROWS_MAX, Store};
use crate::error::{Error, Result};
use crate::profile::{Cause, Move};
use crate::record::IdentityId;

/// Rows that are made into chunks at once.
const MOVES_AT_ONCE: usize = 8_192;

impl Store {
    /// Writes what a state of a format before lacks.
    pub(super) fn bring_up_to_date(&mut self) -> Result<()> {
        let view = self.view();
        let mut writes = Writes::default();
        for row in view.records() {
            let (node, row) = row?;
            writes.put(Space::Nodes, row.key.0, encode(&node)?);
            self.write_when_many(&mut writes)?;
        }
        for row in view.members() {
            let (node, identity) = row?;
            writes.put(Space::Clusters, cluster_key(&identity, node), encode(&())?);
            self.write_when_many(&mut writes)?;
        }
        let head = self.say_moves(&mut writes)?;
        self.write(writes, head)?;
        self.folder.write_format()?;
        self.folder.is_older = false;
        Ok(())
    }

    /// Says of every record where it belongs, as one commit more; returns the head after it.
    fn say_moves(&mut self, writes: &mut Writes) -> Result<Head> {
        let view = self.view();
        let (epoch, occurred_at) = (self.head.sequence + 1, self.head.max_event_time);
        let mut members = view.members();
        let mut ordinals = 0_u32..;
        let mut moves = Vec::new();
        let mut records = view.records().peekable();
        if records.peek().is_none() {
            return Ok(self.head);
        }
        while let Some(row) = records.next() {
            let (record, identity) = joined(row?, members.next().transpose()?)?;
            moves.push(Move {
                record: record.key,
                source: record.source,
                record_id: record.record_id.map(Into::into),
                identity,
                other: None,
                is_removed: false,
                cause: Cause::Upgrade,
                epoch,
                occurred_at,
            });
            if moves.len() >= MOVES_AT_ONCE || records.peek().is_none() {
                for (chunk, ordinal) in encode_chunks(&moves)?.into_iter().zip(&mut ordinals) {
                    writes.put(Space::Outbox, outbox_key(Outbox::Moves, epoch, ordinal), chunk);
                }
                moves.clear();
                self.write(std::mem::take(writes), self.head)?;
            }
        }
        Ok(Head { sequence: epoch, ..self.head })
    }

    fn write_when_many(&mut self, writes: &mut Writes) -> Result<()> {
        if writes.len() < BATCH_ROWS_MAX {
            return Ok(());
        }
        self.write(std::mem::take(writes), self.head)
    }
}

/// A record and its identity: both are kept in the order of nodes.
fn joined(
    (node, record): (NodeId, RecordRow),
    member: Option<(NodeId, IdentityId)>,
) -> Result<(RecordRow, IdentityId)> {
    match member {
        Some((of, identity)) if of == node => Ok((record, identity)),
        _ => Err(Error::data("state: a record is of no identity")),
    }
}
