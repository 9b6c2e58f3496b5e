//! How do tools read the tables that know Parquet, and nothing of Delta?
//!
//! One version of each table is written as one plain file, present rows only: to
//! `plain/FOLDER/TABLE.parquet`. Once all are there, each is copied to `current/TABLE.parquet`, a name
//! that stays: each of those is whole at any time, though two of them may be of two commits for a
//! moment. Then `plain/latest.json` names the folder: who reads it first has a set of tables of one
//! commit. What a crash cuts short before that is done anew.
//!
//! The set that was the latest before stays for those who are reading it; others are deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::file::Writer;
use super::latest::Latest;
use super::store::store_error;
use super::table::Table;
use crate::error::{Context, Error, Kind, Result};

/// Where the sets lie.
const SETS: &str = "plain";
/// Where the latest files lie by names that stay.
const CURRENT: &str = "current";

/// When plain files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainWhen {
    /// Where those that are there are not of the commit.
    Newer,
    /// Where there are some at all: rows left the tables that they may hold, so of the set before
    /// nothing stays either.
    Erased,
}

/// What was written as plain files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainWritten {
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// The set that was written last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    /// The commit that all its tables are of.
    commit: u64,
    /// The folder of its files.
    folder: String,
    /// That of the set before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

/// Writes the tables as they are at the versions of a set; `None` where there is nothing to do.
///
/// **Errors:** `Data` where a version is gone meanwhile; `Unavailable`.
pub async fn write_plain(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    tables: Vec<Table>,
    latest: &Latest,
    when: PlainWhen,
) -> Result<Option<PlainWritten>> {
    let found = read_pointer(store, root).await?;
    match (when, &found) {
        (PlainWhen::Newer, Some(found)) if found.commit == latest.commit => return Ok(None),
        (PlainWhen::Erased, None) => {
            // What a crash left of the first time.
            delete_below(store, root, SETS, &BTreeSet::new()).await?;
            delete_below(store, root, CURRENT, &BTreeSet::new()).await?;
            return Ok(None);
        }
        _ => {}
    }
    let number: u64 = latest.tables.values().sum();
    let folder = format!("{SETS}/{}-{number}", latest.commit);
    let mut written = PlainWritten::default();
    let mut names = Vec::new();
    for mut table in tables {
        let name = table.spec.name;
        let Some(version) = latest.tables.get(name) else { continue };
        if table.snapshot.version != *version {
            let gone = || Error::data(format!("version {version} of {name} is gone"));
            table.snapshot = table.log.load_at(*version).await?.ok_or_else(gone)?;
        }
        let (rows, bytes) = write(store, root, &folder, &table).await?;
        written = PlainWritten { rows: written.rows + rows, bytes: written.bytes + bytes };
        names.push(file_name(name));
    }
    for name in &names {
        let (from, to) = (below(root, &folder).join(&**name), below(root, CURRENT).join(&**name));
        let copied = store.copy(&from, &to).await;
        copied.map_err(|error| store_error(format!("copy {name}"), error))?;
    }
    let before = found.map(|found| found.folder);
    let before = before.filter(|before| when == PlainWhen::Newer && *before != folder);
    let kept = std::iter::once(&folder).chain(&before).map(|folder| below(root, folder)).collect();
    let pointer = Pointer { commit: latest.commit, folder, before };
    let text = serde_json::to_vec_pretty(&pointer).context(Kind::Internal, "write a set's name")?;
    let put = store.put(&pointer_path(root), text.into()).await;
    put.map_err(|error| store_error("put plain/latest.json", error))?;
    delete_below(store, root, SETS, &kept).await?;
    Ok(Some(written))
}

fn below(root: &Path, folder: &str) -> Path {
    root.parts().chain(Path::from(folder).parts()).collect()
}

fn file_name(table: &str) -> String {
    format!("{table}.parquet")
}

fn pointer_path(root: &Path) -> Path {
    below(root, SETS).join("latest.json")
}

async fn read_pointer(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<Option<Pointer>> {
    let read = async { store.get(&pointer_path(root)).await?.bytes().await };
    match read.await {
        // One that cannot be read is made anew.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(store_error("read plain/latest.json", error)),
    }
}

/// Writes the rows of a table to one file; returns how many, and its bytes.
async fn write(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    folder: &str,
    table: &Table,
) -> Result<(u64, u64)> {
    let name = file_name(table.spec.name);
    let mut file = Writer::create(Arc::clone(store), &below(root, folder), name, table.spec)?;
    let mut batches = table.scan(None);
    while let Some(batch) = batches.try_next().await? {
        file.write(batch).await?;
    }
    let rows = file.rows();
    let add = file.finish(0, None).await?;
    Ok((rows, u64::try_from(add.size).unwrap_or(0)))
}

/// Deletes the files below a folder, but for those in some folders, and the name of the latest set.
async fn delete_below(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    folder: &str,
    kept: &BTreeSet<Path>,
) -> Result<()> {
    let files: Vec<_> = store
        .list(Some(&below(root, folder)))
        .try_collect()
        .await
        .map_err(|error| store_error("list plain files", error))?;
    for file in files {
        let is_kept = kept.iter().any(|folder| file.location.prefix_matches(folder));
        if is_kept || file.location == pointer_path(root) {
            continue;
        }
        match store.delete(&file.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(store_error("delete a plain file", error)),
        }
    }
    Ok(())
}
