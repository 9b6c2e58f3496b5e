//! How does what was deleted leave the disk?
//!
//! The embedded store keeps deleted rows in its tables until it compacts them, and in its journals
//! longer. So all rows are written into another store beside it, which then takes its place: whole
//! or not at all, whenever it is cut short ([`Folder`](super::folder::Folder) settles it on open).

use fjall::Database;

use super::database::{builder, open_database, poisoned, write};
use super::erasure::is_pending;
use super::folder::Witness;
use super::keyspace::{Keyspaces, Writes, failed};
use super::row::Head;
use super::settled::unsettle;
use super::store::{BATCH_ROWS_MAX, Scattered, Store};
use crate::error::Result;

impl Store {
    /// Writes the whole state anew, so that no byte of what was deleted is left on its disk, nor what
    /// an erasure still had to do elsewhere. Takes disk for another copy meanwhile. There must be no
    /// [`View`] of it.
    ///
    /// **Errors:** after any error the state must be opened anew; it is as it was before, or as it
    /// would be after.
    pub fn rewrite(&mut self) -> Result<()> {
        if self.poisoned {
            return Err(poisoned());
        }
        self.poisoned = true;
        if std::mem::take(&mut self.is_settled) {
            unsettle(&self.folder)?;
        }
        let rows = self.folder.begin_rewrite()?;
        let copied = builder(&rows, &self.options).open().map_err(failed("open"))?;
        copy(&self.spaces, &copied, self.head)?;
        drop(copied);
        // The store must be closed before its files go.
        self.spaces = Keyspaces::default();
        self.database = None;
        self.folder.end_rewrite()?;
        let acknowledged = Some(self.head.batch);
        let (database, spaces, head) = open_database(&self.folder, acknowledged, &self.options)?;
        self.witness = Witness::create(&self.folder, head.batch)?;
        (self.database, self.spaces, self.head) = (Some(database), spaces, head);
        self.scattered = Scattered::default();
        self.poisoned = false;
        Ok(())
    }
}

/// Writes all rows into another database; the last batch is a later one than `head` names.
fn copy(from: &Keyspaces, to: &Database, mut head: Head) -> Result<()> {
    let spaces = Keyspaces::open(to, true)?;
    let mut writes = Writes::default();
    for (space, keyspace) in from.iter() {
        for row in keyspace.iter() {
            let (key, value) = row.into_inner().map_err(failed("read rows"))?;
            if is_pending(space, &key) {
                continue;
            }
            writes.put(space, key, value);
            if writes.len() >= BATCH_ROWS_MAX {
                head.batch += 1;
                write(to, &spaces, std::mem::take(&mut writes), &head)?;
            }
        }
    }
    head.batch += 1;
    write(to, &spaces, writes, &head)
}
