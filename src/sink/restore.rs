//! How does a table go back to what it was at an earlier commit?
//!
//! By a new entry, as Delta's `RESTORE` does: the files of the earlier version are part of the table
//! again, those that came later no longer. The version goes on ascending, readers notice nothing but
//! the rows, and nothing is deleted.

use std::collections::BTreeMap;

use object_store::ObjectStoreExt;

use super::live::data_path;
use super::log::Add;
use super::mask;
use super::store::store_error;
use super::table::{CommitInfo, Operation, Table};
use crate::error::{Error, Result};

impl Table {
    /// Puts the table back to the last version whose commit of `commit.app` is `commit.commit` or an earlier one, for
    /// the writer of `commit.epoch`; returns whether it was later.
    ///
    /// **Errors:** `Data` where files of that version are gone, or its log; `Fenced` where another writer has the
    /// table.
    pub async fn restore(&mut self, commit: &CommitInfo, nonce: u64) -> Result<bool> {
        self.fence(&commit.app, commit.epoch, nonce).await?;
        if self.txn(&commit.app) <= Some(commit.commit) {
            return Ok(false);
        }
        let version = self.version_at(&commit.app, commit.commit).await?;
        let earlier = self.log.load_at(version).await?;
        let earlier = earlier.ok_or_else(|| self.is_gone(commit.commit))?;
        // A file that has another mask now is another one.
        let lacks = |files: &BTreeMap<String, Add>, add: &Add| {
            let same = files.get(&add.path);
            same.is_none_or(|same| same.deletion_vector != add.deletion_vector)
        };
        let missing = earlier.files.values().filter(|add| lacks(&self.snapshot.files, add));
        let adds: Vec<Add> = missing.map(|add| Add { data_change: true, ..add.clone() }).collect();
        for add in &adds {
            self.check_file(add, commit.commit).await?;
        }
        let later = self.snapshot.files.values().filter(|add| lacks(&earlier.files, add));
        let removes: Vec<String> = later.map(|add| add.path.clone()).collect();
        let reached = earlier.txns.get(&commit.app).and_then(|txn| u64::try_from(*txn).ok());
        let reached = CommitInfo { commit: reached.unwrap_or(0), ..commit.clone() };
        let attempt = self.attempt(&reached, nonce);
        self.finish(attempt, Operation::Restore, adds, &removes).await?;
        Ok(true)
    }

    /// The last version before the first whose commit of `app` is a later one.
    async fn version_at(&self, app: &str, commit: u64) -> Result<u64> {
        let mut version = self.snapshot.version;
        for at in (1..=self.snapshot.version).rev() {
            let Some(lines) = self.log.read(at).await? else {
                // The checkpoint of the version after it sums up what came before.
                let next = self.log.load_at(at + 1).await.ok().flatten();
                let txn = next.and_then(|next| next.txns.get(app).copied()).unwrap_or(0);
                if version > at && u64::try_from(txn).is_ok_and(|txn| txn <= commit) {
                    break;
                }
                return Err(self.is_gone(commit));
            };
            let txns = lines.iter().filter_map(|line| line.txn.as_ref());
            match txns.filter(|txn| txn.app_id == app).map(|txn| txn.version).next_back() {
                Some(found) if u64::try_from(found).is_ok_and(|found| found > commit) => {
                    version = at - 1;
                }
                Some(_) => break,
                None => {}
            }
        }
        Ok(version)
    }

    fn is_gone(&self, commit: u64) -> Error {
        Error::data(format!(
            "table {} cannot go back to commit {commit}: that version was vacuumed \
             (`publish.retention` says how long versions are kept)",
            self.spec.name
        ))
    }

    async fn check_file(&self, add: &Add, commit: u64) -> Result<()> {
        let mut paths = vec![data_path(&self.folder, add)?];
        if let Some(vector) = &add.deletion_vector {
            paths.extend(mask::path(&self.folder, vector)?);
        }
        for path in paths {
            match self.store.head(&path).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Err(self.is_gone(commit)),
                Err(error) => return Err(store_error("find a file of an earlier version", error)),
            }
        }
        Ok(())
    }
}
