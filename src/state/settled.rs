//! Which states can be read without replaying journals?
//!
//! The embedded store keeps the latest rows in memory and in journals of tens of megabytes, which it
//! replays when it is opened. A job that ends writes all rows out to sorted tables first and then,
//! in a file of its own, which batch they hold and where each keyspace lies: the state is *settled*.
//! A reader of a settled state opens the tables that it asks, and nothing else. Opening a state for
//! writing unsettles it, durably, before anything is written.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use fjall::Slice;
use lsm_tree::{AbstractTree, AnyTree, Guard, SeqNo};
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::keyspace::{Keyspaces, Space, failed};
use super::row::{decode, encode};
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};

const SETTLED_FILE: &str = "settled";
/// How often, and how long apart, it is asked whether all rows are written out. A state that takes
/// longer stays unsettled, which costs readers a replay and nothing else.
const SETTLE_TRIES: u32 = 10_000;
const SETTLE_WAIT: Duration = Duration::from_millis(2);

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The last batch that the tables hold.
    batch: u64,
    /// Each keyspace's name and folder below the store's.
    folders: Vec<(String, String)>,
}

/// Writes all rows out to tables and notes that they hold `batch`; returns whether that went well.
/// No one may write meanwhile.
pub(super) fn settle(folder: &Folder, spaces: &Keyspaces, batch: u64) -> Result<bool> {
    for (_, space) in spaces.iter() {
        space.rotate_memtable().map_err(failed("write rows out"))?;
    }
    let are_out = || spaces.iter().all(|(_, space)| space.sealed_memtable_count() == 0);
    let mut tries = 0;
    while !are_out() {
        if tries == SETTLE_TRIES {
            return Ok(false);
        }
        tries += 1;
        std::thread::sleep(SETTLE_WAIT);
    }
    let rows = folder.rows();
    let mut folders = Vec::new();
    for (space, keyspace) in spaces.iter() {
        // The store names its folders by the path that it resolved.
        let within = keyspace.path().components().rev().take(2).collect::<Vec<_>>();
        let within: PathBuf = within.into_iter().rev().collect();
        let (true, Some(name)) = (rows.join(&within).is_dir(), within.to_str()) else {
            return Ok(false);
        };
        folders.push((space.name().to_owned(), name.to_owned()));
    }
    let mut bytes = encode(&Note { batch, folders })?;
    bytes.extend_from_slice(&blake3::hash(&bytes).as_bytes()[..CHECKSUM_BYTES]);
    around(Step::StateSettle, || folder.replace(SETTLED_FILE, &bytes))
        .context(Kind::Unavailable, "state: settle")?;
    Ok(true)
}

const CHECKSUM_BYTES: usize = 8;

/// Notes durably that the tables alone are not the state any more.
pub(super) fn unsettle(folder: &Folder) -> Result<()> {
    around(Step::StateUnsettle, || folder.remove(SETTLED_FILE))
        .context(Kind::Unavailable, "state: unsettle")
}

/// The tables of a settled state, each keyspace opened when it is first asked.
pub(super) struct Settled {
    trees: [OnceLock<AnyTree>; Space::ALL.len()],
    folders: Vec<PathBuf>,
}

impl Settled {
    /// The tables, where they hold the last batch that was acknowledged.
    pub(super) fn open(folder: &Folder, acknowledged: Option<u64>) -> Result<Option<Self>> {
        let bytes = match fs::read(folder.path().join(SETTLED_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(Kind::Unavailable, "state: read settled"),
        };
        let damaged = || Error::data("state: the file `settled` is damaged; it can be removed");
        let at = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(damaged)?;
        let (bytes, checksum) = bytes.split_at(at);
        if blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES] != *checksum {
            return Err(damaged());
        }
        let note: Note = decode("settled", bytes)?;
        if Some(note.batch) != acknowledged {
            return Ok(None);
        }
        let rows = folder.rows();
        let place = |space: Space| {
            let found = note.folders.iter().find(|(name, _)| name == space.name());
            Some(rows.join(&found?.1))
        };
        let folders: Option<Vec<PathBuf>> = Space::ALL.into_iter().map(place).collect();
        let trees = std::array::from_fn(|_| OnceLock::new());
        Ok(folders.map(|folders| Self { trees, folders }))
    }

    pub(super) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Slice>> {
        self.tree(space)?.get(key, SeqNo::MAX).map_err(unread)
    }

    pub(super) fn prefix(
        &self,
        space: Space,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<(Slice, Slice)>> + Send + use<>> {
        let rows = self.tree(space)?.prefix(prefix, SeqNo::MAX, None);
        Ok(rows.map(|row| row.into_inner().map_err(unread)))
    }

    fn tree(&self, space: Space) -> Result<&AnyTree> {
        let cell = &self.trees[space as usize];
        if let Some(tree) = cell.get() {
            return Ok(tree);
        }
        let folder = &self.folders[space as usize];
        let config = lsm_tree::Config::new(folder, Default::default(), Default::default())
            .filter_block_pinning_policy(lsm_tree::config::PinningPolicy::all(false))
            .index_block_pinning_policy(lsm_tree::config::PinningPolicy::all(false));
        let tree = config.open().map_err(unread)?;
        Ok(cell.get_or_init(|| tree))
    }
}

fn unread(error: lsm_tree::Error) -> Error {
    let kind = if matches!(error, lsm_tree::Error::Io(_)) { Kind::Unavailable } else { Kind::Data };
    Error::new(kind, "state: read settled rows").caused_by(error)
}
