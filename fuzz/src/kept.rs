//! What is kept on disks and in stores: are bytes that somebody changed told from sound ones?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use onefold::profile::{Change, Facts, Interaction};
use onefold::record::{DeadLetter, IdentityId, Judgement, Micros, NodeId};
use onefold::sink::{Table, TableSpec, read_latest, tables};
use onefold::state::{
    Counters, Edge, IdentityRow, MappingChange, Model, Options, RecordRow, restore_snapshot,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte names a type of row, the rest is one: what is read is written as it was.
pub fn rows(bytes: &[u8]) {
    let Some((kind, row)) = bytes.split_first() else { return };
    match kind % 16 {
        0 => row_of::<RecordRow>(row),
        1 => row_of::<Vec<Edge>>(row),
        2 => row_of::<IdentityRow>(row),
        3 => row_of::<Counters>(row),
        4 => row_of::<MappingChange>(row),
        5 => row_of::<Model>(row),
        6 => row_of::<Judgement>(row),
        7 => row_of::<Facts>(row),
        8 => row_of::<Interaction>(row),
        9 => row_of::<DeadLetter>(row),
        10 => row_of::<Change>(row),
        11 => row_of::<NodeId>(row),
        12 => row_of::<(Arc<str>, Arc<str>, u64)>(row),
        13 => row_of::<(Arc<str>, Micros)>(row),
        14 => row_of::<IdentityId>(row),
        _ => row_of::<f64>(row),
    }
}

fn row_of<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok((row, rest)) = postcard::take_from_bytes::<T>(bytes) else { return };
    let written = postcard::to_stdvec(&row).expect("what was read can be written");
    assert!(written.len() <= bytes.len() - rest.len(), "longer than what it was read from");
    let again: T = postcard::from_bytes(&written).expect("what was written can be read");
    let again = postcard::to_stdvec(&again).expect("what was read can be written");
    assert_eq!(written, again, "a row changes when it is written again");
}

/// The names of the keyspaces, in the order of their numbers.
const SPACES: [&str; 12] = [
    "meta",
    "records",
    "edges",
    "members",
    "identities",
    "facts",
    "events",
    "outbox",
    "nodes",
    "clusters",
    "shared",
    "capped",
];

/// Of an even first byte, the rest is a snapshot; of an odd one, it is the rows of one, as
/// `state::snapshot` says they are written, and the check makes them a snapshot that is whole.
pub fn snapshot(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let made;
    let input = if kind % 2 == 0 {
        rest
    } else {
        made = whole_snapshot(rest);
        &made
    };
    let folder = memory_folder();
    let path = folder.path().join("state");
    let restored = restore_snapshot(&path, input, &Options::default());
    assert_eq!(restored.is_ok(), path.exists(), "a restore that failed left something");
    let left = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(left, usize::from(restored.is_ok()), "something is left beside it");
}

fn whole_snapshot(rows: &[u8]) -> Vec<u8> {
    let mut content = vec![SPACES.len() as u8];
    for name in SPACES {
        content.push(name.len() as u8);
        content.extend(name.as_bytes());
    }
    let (mut rest, mut count) = (rows, 0_u64);
    while let Some(end) = row_end(rest) {
        content.extend(&rest[..end]);
        rest = &rest[end..];
        count += 1;
    }
    content.push(u8::MAX);
    content.extend(count.to_le_bytes());
    let hash = blake3::hash(&content);
    content.extend(hash.as_bytes());
    let mut snapshot = b"onefold snapshot 1\n".to_vec();
    snapshot.extend(zstd::bulk::compress(&content, 1).expect("memory takes all"));
    snapshot
}

/// Where the first row ends: keyspace, length of the key, length of the value, key, value.
fn row_end(bytes: &[u8]) -> Option<usize> {
    let (space, lengths) = (bytes.first()?, bytes.get(1..9)?);
    let (key, value) = lengths.split_at(4);
    let length = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
    let end = 9_usize.checked_add(length(key)?)?.checked_add(length(value)?)?;
    (*space != u8::MAX && end <= bytes.len()).then_some(end)
}

/// A folder in memory where there is such a place: a state flushes all that it writes.
fn memory_folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    let place = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let prefix = PathBuf::from("onefold-fuzz");
    tempfile::Builder::new().prefix(&prefix).tempdir_in(place).expect("a temporary folder")
}

/// The first byte names a table; entries of its log follow, between lines of `---`, and behind a
/// line of `===` the set of versions that belong together.
pub fn delta(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let spec = tables::ALL[usize::from(*kind) % tables::ALL.len()];
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(opened(spec, rest));
}

async fn opened(spec: &'static TableSpec, bytes: &[u8]) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let root = object_store::path::Path::from("out");
    let (entries, latest) = split_once(bytes, b"===\n").unwrap_or((bytes, b""));
    let put = async |path: String, bytes: &[u8]| {
        let path = object_store::path::Path::from(path);
        store.put(&path, bytes.to_vec().into()).await.expect("memory takes all");
    };
    let mut rest = Some(entries);
    for version in 0.. {
        let Some(entry) = rest else { break };
        let (entry, next) =
            split_once(entry, b"---\n").map_or((entry, None), |(entry, next)| (entry, Some(next)));
        put(format!("out/{}/_delta_log/{version:020}.json", spec.name), entry).await;
        rest = next;
    }
    put("out/_onefold/latest.json".to_owned(), latest).await;
    // What no job wrote is refused, whatever it is.
    _ = read_latest(&store, &root).await;
    if let Ok(Some(mut table)) = Table::open_existing(Arc::clone(&store), &root, spec).await {
        let (files, _) = table.files();
        assert!(files > 0 || table.rows() == 0, "rows without a file");
        for app in ["retail", "other"] {
            _ = (table.txn(app), table.epoch(app), table.other_writer(app).is_some());
            _ = table.published(app).await;
        }
        // Which rows are masked is read before the files, which are not there.
        _ = table.find("0123456789abcdef").await;
    }
}

fn split_once<'b>(bytes: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}
