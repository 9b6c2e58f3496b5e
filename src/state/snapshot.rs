//! How does a state survive the loss of its disk?
//!
//! A snapshot is every row of one commit as one stream of bytes, taken from a [`View`], so also while
//! the job goes on:
//!
//! ```text
//! onefold snapshot 1 NEWLINE, then compressed with zstd:
//! keyspaces  count u8, then of each: length u8, name
//! row        keyspace u8, key length u32, value length u32, key, value
//! end        255, rows u64, BLAKE3 of everything before
//! ```
//!
//! little-endian; what an erasure still has to do elsewhere is left out. Restoring makes a new state
//! of it beside the place where it belongs, reads it through, checks that it fits together, and only
//! then moves it there: a stream that is cut or damaged leaves nothing.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::erasure::is_pending;
use super::keyspace::{HEAD_KEY, Space, Writes};
use super::row::{Head, decode};
use super::store::{Options, Store};
use super::view::View;
use crate::error::{Context, Error, Kind, Result};

const MAGIC: &[u8] = b"onefold snapshot 1\n";
const END: u8 = u8::MAX;
/// Fast, and a third smaller than without.
const LEVEL: i32 = 1;
/// The most rows of a batch while a state is restored.
const BATCH_ROWS_MAX: usize = 50_000;
/// No row of ours is larger.
const ROW_BYTES_MAX: u32 = 1 << 30;
/// The store takes no longer key, and no empty one.
const KEY_BYTES_MAX: u32 = u16::MAX as u32;

/// Writes what a view shows; returns how many rows there are.
///
/// **Errors:** `Unavailable` where `out` fails.
pub fn write_snapshot(view: &View, mut out: impl Write) -> Result<u64> {
    let unwritten = |error: io::Error| Error::unavailable("write snapshot").caused_by(error);
    out.write_all(MAGIC).map_err(unwritten)?;
    let encoder = zstd::Encoder::new(out, LEVEL).map_err(unwritten)?;
    let mut out = Hashed { inner: encoder, hasher: blake3::Hasher::new() };
    let mut rows = 0_u64;
    write_names(&mut out).map_err(unwritten)?;
    for space in Space::ALL {
        for row in view.scan(space, &[]) {
            let (key, value) = row?;
            if is_pending(space, &key) {
                continue;
            }
            write_row(&mut out, space, &key, &value).map_err(unwritten)?;
            rows += 1;
        }
    }
    out.write_all(&[END]).and_then(|()| out.write_all(&rows.to_le_bytes())).map_err(unwritten)?;
    let hash = out.hasher.finalize();
    let mut encoder = out.inner;
    encoder.write_all(hash.as_bytes()).map_err(unwritten)?;
    encoder.finish().and_then(|mut out| out.flush()).map_err(unwritten)?;
    Ok(rows)
}

fn write_names(out: &mut impl Write) -> io::Result<()> {
    let short = |length: usize| u8::try_from(length).expect("keyspaces are few, names short");
    out.write_all(&[short(Space::ALL.len())])?;
    Space::ALL.into_iter().map(Space::name).try_for_each(|name| {
        out.write_all(&[short(name.len())])?;
        out.write_all(name.as_bytes())
    })
}

fn write_row(out: &mut impl Write, space: Space, key: &[u8], value: &[u8]) -> io::Result<()> {
    let length =
        |bytes: &[u8]| u32::try_from(bytes.len()).ok().filter(|length| *length <= ROW_BYTES_MAX);
    let (Some(key_length), Some(value_length)) = (length(key), length(value)) else {
        return Err(io::Error::other("a row is larger than rows can be"));
    };
    out.write_all(&[space as u8])?;
    out.write_all(&key_length.to_le_bytes())?;
    out.write_all(&value_length.to_le_bytes())?;
    out.write_all(key)?;
    out.write_all(value)
}

/// Makes a state in the folder `path` of a snapshot; returns its last commit.
///
/// **Errors:** `Invalid` where `path` holds something, or the stream is no snapshot; `Data` where it
/// is cut or damaged; `Unavailable`.
pub fn restore_snapshot(path: &Path, input: impl Read, options: &Options) -> Result<u64> {
    refuse_a_state(path)?;
    let aside = beside(path);
    if aside.exists() {
        // What an earlier try left.
        fs::remove_dir_all(&aside).context(Kind::Unavailable, "remove an unfinished restore")?;
    }
    let restored = fill(&aside, input, options);
    if restored.is_err() && aside.exists() {
        fs::remove_dir_all(&aside).context(Kind::Unavailable, "remove an unfinished restore")?;
    }
    let sequence = restored?;
    let moved = || {
        if path.exists() {
            fs::remove_dir(path)?;
        }
        fs::rename(&aside, path)?;
        File::open(aside.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    moved().context(Kind::Unavailable, format!("move the restored state to {}", path.display()))?;
    Ok(sequence)
}

/// Fails where a folder holds something.
///
/// **Errors:** `Invalid`.
pub fn refuse_a_state(path: &Path) -> Result<()> {
    let is_empty = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if is_empty {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "state: {} is not empty: move it away first, nothing is restored over it",
        path.display()
    )))
}

fn beside(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut name = absolute.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    absolute.with_file_name(name)
}

fn fill(path: &Path, mut input: impl Read, options: &Options) -> Result<u64> {
    let mut magic = [0; MAGIC.len()];
    let is_ours = input.read_exact(&mut magic).is_ok() && magic == MAGIC;
    if !is_ours {
        return Err(Error::invalid("this is no snapshot of a state, or of another version"));
    }
    let decoder = zstd::Decoder::new(input).map_err(|error| cut(&error))?;
    let mut input = Hashed { inner: decoder, hasher: blake3::Hasher::new() };
    let spaces = read_names(&mut input)?;
    let mut store = Store::open(path, options)?;
    let (mut rows, mut writes, mut head) = (0_u64, Writes::default(), None);
    loop {
        let [space] = input.array()?;
        if space == END {
            break;
        }
        let space = *spaces.get(usize::from(space)).ok_or_else(damaged)?;
        let (key, value) = input.row()?;
        rows += 1;
        if space == Space::Meta && key == HEAD_KEY {
            head = Some(decode::<Head>("meta", &value)?);
            continue;
        }
        writes.put(space, key, value);
        if writes.len() >= BATCH_ROWS_MAX {
            store.write_rows(std::mem::take(&mut writes))?;
        }
    }
    let counted = u64::from_le_bytes(input.array()?);
    let hash = input.hasher.finalize();
    let mut stated = [0; 32];
    input.inner.read_exact(&mut stated).map_err(|error| cut(&error))?;
    let (true, true, Some(head)) = (counted == rows, hash == stated, head) else {
        return Err(damaged());
    };
    store.write_rows(writes)?;
    store.take_head(head)?;
    store.verify()?;
    store.settle()?;
    Ok(store.sequence())
}

fn read_names(input: &mut Hashed<impl Read>) -> Result<Vec<Space>> {
    let [count] = input.array()?;
    let mut spaces = Vec::new();
    for _ in 0..count {
        let [length] = input.array()?;
        let mut name = vec![0; usize::from(length)];
        input.read_exact(&mut name).map_err(|error| cut(&error))?;
        let space = Space::ALL.into_iter().find(|space| space.name().as_bytes() == name);
        spaces.push(space.ok_or_else(damaged)?);
    }
    Ok(spaces)
}

fn damaged() -> Error {
    Error::data("the snapshot is damaged: take another one")
}

fn cut(error: &io::Error) -> Error {
    Error::data(format!("the snapshot is cut or damaged, take another one: {error}"))
}

/// Bytes on their way, and their hash.
struct Hashed<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }
}

impl<R: Read> Hashed<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes).map_err(|error| cut(&error))?;
        Ok(bytes)
    }

    fn row(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        let lengths = [u32::from_le_bytes(self.array()?), u32::from_le_bytes(self.array()?)];
        if !(1..=KEY_BYTES_MAX).contains(&lengths[0]) || lengths[1] > ROW_BYTES_MAX {
            return Err(damaged());
        }
        let mut part = |length: u32| {
            let mut bytes = Vec::new();
            self.by_ref()
                .take(length.into())
                .read_to_end(&mut bytes)
                .map_err(|error| cut(&error))?;
            if bytes.len() == length as usize { Ok(bytes) } else { Err(damaged()) }
        };
        Ok((part(lengths[0])?, part(lengths[1])?))
    }
}
