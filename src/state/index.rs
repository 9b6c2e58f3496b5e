//! How does the index outlive a process that ends well?
//!
//! In the file `index` beside the rows: the pieces of its [image](crate::image), each with a checksum, and behind them a
//! table of where they lie and a stamp of what they were made of. It counts for the very same program, model and commit,
//! and is gone, durably, before there is another commit; nobody is lost with it, for the rows hold everything. It is not
//! synced: what a power cut takes of it the checksums tell.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use super::folder::Folder;
use super::row::{Model, decode, encode};
use super::store::Store;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around};
use crate::image::{Pieces, Sink};

const INDEX_FILE: &str = "index";
const NEW_INDEX_FILE: &str = "index.new";

/// What an index was made of, and by.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    program: u64,
    model: [u8; 32],
    sequence: u64,
}

/// Where the pieces lie.
#[derive(Serialize, Deserialize)]
struct Contents {
    stamp: Stamp,
    pieces: BTreeMap<String, Vec<Piece>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Piece {
    offset: u64,
    length: u64,
    checksum: u64,
}

/// How the file ends: how long the table of contents before it is, and its checksum.
const END_BYTES: usize = 16;

/// An index that was kept.
pub struct KeptIndex {
    path: PathBuf,
    pieces: BTreeMap<String, Vec<Piece>>,
}

impl Store {
    /// Keeps the index as of the last commit, whose pieces `pack` hands over, for the next start; returns whether it is
    /// kept: `pack` says whether there is anything to keep. It is gone with the next commit.
    ///
    /// **Errors:** those of `pack`; `Unavailable`: then no index is kept.
    pub fn keep_index(&mut self, pack: impl FnOnce(&mut dyn Sink) -> Result<bool>) -> Result<bool> {
        if self.kept_index()?.is_some() {
            return Ok(true);
        }
        let Some(stamp) = self.stamp()? else { return Ok(false) };
        let kept = write(&self.folder, stamp, pack);
        if !matches!(kept, Ok(true)) {
            self.remove(NEW_INDEX_FILE)?;
        }
        kept
    }

    /// The index as of the last commit, where the program kept it.
    ///
    /// **Errors:** `Unavailable`.
    pub fn kept_index(&self) -> Result<Option<KeptIndex>> {
        let path = self.folder.path().join(INDEX_FILE);
        // The stamp takes longer to tell.
        if !path.exists() {
            return Ok(None);
        }
        let Some(stamp) = self.stamp()? else { return Ok(None) };
        let contents = contents(&path).context(Kind::Unavailable, "state: read the index")?;
        let contents = contents.filter(|contents| contents.stamp == stamp);
        Ok(contents.map(|contents| KeptIndex { path, pieces: contents.pieces }))
    }

    /// Sees to it that no index is kept, nor what is left of one that was not finished: it cannot be used, or there will be
    /// another commit.
    ///
    /// **Errors:** `Unavailable`.
    pub fn forget_index(&self) -> Result<()> {
        [INDEX_FILE, NEW_INDEX_FILE].into_iter().try_for_each(|name| self.remove(name))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.folder.remove(name).context(Kind::Unavailable, "state: remove the index")
    }

    /// What an index of now is made of; `None` where that cannot be told for certain.
    fn stamp(&self) -> Result<Option<Stamp>> {
        if self.poisoned {
            return Ok(None);
        }
        let stamp = |(program, model): (u64, Model)| Stamp {
            program,
            model: model.fingerprint,
            sequence: self.head.sequence,
        };
        Ok(program().zip(self.model()?).map(stamp))
    }
}

fn write(
    folder: &Folder,
    stamp: Stamp,
    pack: impl FnOnce(&mut dyn Sink) -> Result<bool>,
) -> Result<bool> {
    let unkept = "state: keep the index";
    let new = folder.path().join(NEW_INDEX_FILE);
    let file = File::create(&new).context(Kind::Unavailable, unkept)?;
    let mut written = Written { file, offset: 0, pieces: BTreeMap::new() };
    if !pack(&mut written)? {
        return Ok(false);
    }
    let contents = encode(&Contents { stamp, pieces: written.pieces })?;
    let [length, checksum] = [contents.len() as u64, checksum(&contents)].map(u64::to_le_bytes);
    let end = [&*contents, &length, &checksum].concat();
    written.file.write_all(&end).context(Kind::Unavailable, unkept)?;
    drop(written.file);
    around(Step::StateIndex, || fs::rename(&new, folder.path().join(INDEX_FILE)))
        .context(Kind::Unavailable, unkept)?;
    Ok(true)
}

/// Pieces on their way into the file.
struct Written {
    file: File,
    offset: u64,
    pieces: BTreeMap<String, Vec<Piece>>,
}

impl Sink for Written {
    fn piece(&mut self, name: &'static str, bytes: Vec<u8>) -> Result<()> {
        self.file.write_all(&bytes).context(Kind::Unavailable, "state: keep the index")?;
        let length = bytes.len() as u64;
        let piece = Piece { offset: self.offset, length, checksum: checksum(&bytes) };
        self.pieces.entry(name.to_owned()).or_default().push(piece);
        self.offset += length;
        Ok(())
    }
}

impl Pieces for KeptIndex {
    fn count(&self, name: &str) -> usize {
        self.pieces.get(name).map_or(0, Vec::len)
    }

    fn piece(&self, name: &str, number: usize) -> Result<Vec<u8>> {
        let piece = self.pieces.get(name).and_then(|pieces| pieces.get(number));
        let Piece { offset, length, checksum: expected } = *piece.ok_or_else(damaged)?;
        let bytes = read(&self.path, offset, length);
        let bytes = bytes.context(Kind::Unavailable, "state: read the index")?;
        if checksum(&bytes) == expected { Ok(bytes) } else { Err(damaged()) }
    }
}

fn damaged() -> Error {
    Error::data("state: the index that was kept is damaged")
}

fn read(path: &Path, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(std::io::Error::other)?);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a file holds; `None` where it is not whole.
fn contents(path: &Path) -> std::io::Result<Option<Contents>> {
    let size = fs::metadata(path)?.len();
    let Some(at) = size.checked_sub(END_BYTES as u64) else { return Ok(None) };
    let end = read(path, at, END_BYTES as u64)?;
    let number = |at: usize| Some(u64::from_le_bytes(end.get(at..at + 8)?.try_into().ok()?));
    let (Some(length), Some(expected)) = (number(0), number(8)) else { return Ok(None) };
    let Some(at) = at.checked_sub(length) else { return Ok(None) };
    let bytes = read(path, at, length)?;
    Ok(if checksum(&bytes) == expected { decode("index", &bytes).ok() } else { None })
}

fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// Which program this is: a hash of its file. `None` where that cannot be read, or is another one by now.
fn program() -> Option<u64> {
    static PROGRAM: OnceLock<Option<u64>> = OnceLock::new();
    let hash = || {
        let mut file = File::open(std::env::current_exe().ok()?).ok()?;
        let (mut hasher, mut some) = (XxHash64::with_seed(0), vec![0; 1 << 20]);
        loop {
            match file.read(&mut some).ok()? {
                0 => return Some(hasher.finish()),
                length => hasher.write(some.get(..length)?),
            }
        }
    };
    *PROGRAM.get_or_init(hash)
}
