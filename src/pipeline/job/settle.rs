//! How does a job leave its state, when all went well?

use super::Job;
use crate::error::Result;
use crate::pipeline::index::keep_index;

/// More than the index takes of a record on disk. **Units:** bytes.
const INDEX_BYTES: u64 = 1_024;

impl Job {
    /// Leaves the state so that questions need no replay of journals, and the next start no making of the index.
    ///
    /// **Errors:** `Unavailable` where the state's folder cannot be written.
    pub(super) fn settle(&mut self) -> Result<()> {
        // Where it cannot be settled, questions take longer; nothing else hangs on it.
        self.store.settle()?;
        // On a full disk it would keep the next start from taking messages.
        if self.disk.has_room_for(u64::from(self.registry.next_node()) * INDEX_BYTES) {
            keep_index(&mut self.store, &self.registry, &self.resolver);
        }
        Ok(())
    }
}
