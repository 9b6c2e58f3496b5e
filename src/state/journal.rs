//! Are the embedded store's journals whole?
//!
//! The store replays its journals on open and cuts each at the first byte that it cannot read,
//! whatever stands behind it. So they are read here first, and only read. A journal is a run of
//! batches:
//!
//! ```text
//! start  01, count u32, seqno u64
//! item   02, type u8, compression u8, keyspace u64,
//!        key length u16, value length u32, stored length u32, key, value
//! end    03, checksum u64, "FJL" 03
//! ```
//!
//! little-endian, then zeros that were reserved. Every batch of ours holds the head row, which
//! holds its number. The contents of a batch are the store's to verify: it refuses a wrong checksum
//! without cutting anything.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::keyspace::HEAD_KEY;
use super::row::{Head, decode};
use crate::error::{Context, Error, Kind, Result};

/// What the journals of a store hold.
#[derive(Debug)]
pub(super) struct Journals {
    /// The number of the last whole batch, if there is one.
    pub last: Option<u64>,
    /// A journal that the store will cut to nothing, and only then can it be told whether anything
    /// was lost: it begins with a torn batch of which nobody was told, or with a damaged one.
    pub doubtful: Option<PathBuf>,
}

/// Reads the journals of the store in `rows` through.
///
/// **Errors:** `Data` where a batch that was acknowledged, so up to number `witness`, is lost or
/// damaged.
pub(super) fn check(rows: &Path, witness: u64) -> Result<Journals> {
    let mut paths = journals(rows)?;
    let current = paths.pop();
    let mut last = None;
    for path in &paths {
        if let End::Broken(offset) = walk(path, &mut last)? {
            // A journal that is no longer written was synced as it was closed.
            return Err(damaged(path, offset));
        }
    }
    let mut doubtful = None;
    if let Some(path) = current
        && let End::Broken(offset) = walk(&path, &mut last)?
    {
        match last {
            Some(batch) if batch < witness => return Err(damaged(&path, offset)),
            Some(_) => {}
            None => doubtful = Some(path),
        }
    }
    match last {
        Some(batch) if batch < witness => Err(Error::data(format!(
            "state: batch {witness} was acknowledged, but the journal ends with batch {batch}"
        ))),
        last => Ok(Journals { last, doubtful }),
    }
}

fn damaged(path: &Path, offset: u64) -> Error {
    Error::data(format!("state: journal {} is damaged at byte {offset}", path.display()))
}

/// The journals by number; the last is the one being written.
fn journals(rows: &Path) -> Result<Vec<PathBuf>> {
    let number = |path: &Path| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        name.strip_suffix(".jnl")?.parse().ok()
    };
    let entries = match fs::read_dir(rows) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(Kind::Unavailable, "state: read folder"),
    };
    let mut numbered = Vec::new();
    for entry in entries {
        let path = entry.context(Kind::Unavailable, "state: read folder")?.path();
        numbered.extend(number(&path).map(|number| (number, path)));
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

/// How a journal ends.
enum End {
    /// With a whole batch, and zeros at most behind it.
    Whole,
    /// With something else, which begins at this byte.
    Broken(u64),
}

/// Reads one journal; `last` is the number of the last batch so far.
fn walk(path: &Path, last: &mut Option<u64>) -> Result<End> {
    let read = |error: io::Error| {
        Error::unavailable(format!("state: read journal {}", path.display())).caused_by(error)
    };
    let mut reader = Reader::open(path).map_err(read)?;
    let mut seqno_last = None;
    loop {
        let offset = reader.offset;
        match reader.batch() {
            Ok(Some(Batch { seqno, head })) => {
                let number = decode::<Head>("meta", &head)?.batch;
                if last.is_some_and(|last| number != last + 1) || seqno_last >= Some(seqno) {
                    return Err(Error::data(format!(
                        "state: journal {} skips to batch {number} at byte {offset}",
                        path.display()
                    )));
                }
                (*last, seqno_last) = (Some(number), Some(seqno));
            }
            Ok(None) => {
                let mut reader = Reader::open(path).map_err(read)?;
                reader.skip(offset).map_err(read)?;
                let zeros = reader.only_zeros().map_err(read)?;
                return Ok(if zeros { End::Whole } else { End::Broken(offset) });
            }
            Err(error) => return Err(read(error)),
        }
    }
}

struct Batch {
    seqno: u64,
    head: Vec<u8>,
}

struct Reader {
    file: BufReader<File>,
    offset: u64,
}

impl Reader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(256 << 10, File::open(path)?), offset: 0 })
    }

    /// The next batch; `None` where there is no whole one.
    fn batch(&mut self) -> io::Result<Option<Batch>> {
        match self.try_batch() {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            other => other,
        }
    }

    fn try_batch(&mut self) -> io::Result<Option<Batch>> {
        let [1] = self.bytes()? else { return Ok(None) };
        let count = u32::from_le_bytes(self.bytes()?);
        let seqno = u64::from_le_bytes(self.bytes()?);
        let mut head = None;
        for _ in 0..count {
            let [2, 0..=2, 0] = self.bytes()? else { return Ok(None) };
            let _keyspace: [u8; 8] = self.bytes()?;
            let key_length = u16::from_le_bytes(self.bytes()?);
            let value_length = u32::from_le_bytes(self.bytes()?);
            if u32::from_le_bytes(self.bytes()?) != value_length {
                return Ok(None);
            }
            if usize::from(key_length) == HEAD_KEY.len()
                && self.bytes::<{ HEAD_KEY.len() }>()? == HEAD_KEY
            {
                let mut value = Vec::new();
                self.file.by_ref().take(value_length.into()).read_to_end(&mut value)?;
                self.offset += value.len() as u64;
                head = Some(value);
            } else {
                let key_rest =
                    if usize::from(key_length) == HEAD_KEY.len() { 0 } else { key_length };
                self.skip(u64::from(key_rest) + u64::from(value_length))?;
            }
        }
        let [3] = self.bytes()? else { return Ok(None) };
        let _checksum: [u8; 8] = self.bytes()?;
        let [b'F', b'J', b'L', 3] = self.bytes()? else { return Ok(None) };
        Ok(head.map(|head| Batch { seqno, head }))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    /// Skips bytes; where there are fewer, the next read says so.
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let distance = i64::try_from(bytes).map_err(|_| ErrorKind::UnexpectedEof)?;
        self.file.seek_relative(distance)?;
        self.offset += bytes;
        Ok(())
    }

    fn only_zeros(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match self.file.read(&mut buffer)? {
                0 => return Ok(true),
                n if buffer[..n].iter().any(|byte| *byte != 0) => return Ok(false),
                _ => {}
            }
        }
    }
}
