//! Which versions of the tables belong together?
//!
//! Each table moves by entries of its own. Once all have a commit, `_onefold/latest.json` names
//! their versions: a reader that wants a consistent set opens the tables at these.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::store::store_error;
use crate::error::{Context, Error, Kind, Result};
use crate::failpoint::{Step, around_async};

/// A consistent set of table versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest {
    /// The commit that all tables have.
    pub commit: u64,
    /// Table name to version.
    pub tables: BTreeMap<String, u64>,
}

/// Reads the set; `None` where none was published yet.
pub async fn read_latest(store: &Arc<dyn ObjectStore>, root: &Path) -> Result<Option<Latest>> {
    Ok(read(store, root).await?.map(|(latest, _)| latest))
}

/// Publishes the set, in the place of the one that was read just before.
///
/// A local folder knows no conditional replacement, so there it is simply replaced; the tables'
/// logs are what keeps two writers apart.
///
/// **Errors:** `Fenced` where another writer came between, or published a later commit.
pub async fn write_latest(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    latest: &Latest,
) -> Result<()> {
    let found = read(store, root).await?;
    if found.as_ref().is_some_and(|(found, _)| is_behind(latest, found)) {
        return Err(Error::fenced("a later set was published by another writer"));
    }
    put(store, root, latest, found).await
}

/// Publishes the set of a commit before the latest, once the tables were put back to it.
///
/// **Errors:** `Fenced` where another writer came between.
pub async fn replace_latest(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    latest: &Latest,
) -> Result<()> {
    put(store, root, latest, read(store, root).await?).await
}

async fn put(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
    latest: &Latest,
    found: Option<(Latest, UpdateVersion)>,
) -> Result<()> {
    let mode = match found {
        Some((found, _)) if found == *latest => return Ok(()),
        Some((_, version)) => PutMode::Update(version),
        None => PutMode::Create,
    };
    let bytes = serde_json::to_vec_pretty(latest).context(Kind::Internal, "encode latest.json")?;
    let put = async |mode: PutMode| {
        store.put_opts(&path(root), bytes.clone().into(), mode.into()).await.map(|_| ())
    };
    let mut answer = around_async(Step::Latest, put(mode)).await;
    if matches!(answer, Err(object_store::Error::NotImplemented { .. })) {
        answer = put(PutMode::Overwrite).await;
    }
    let Err(failure) = answer else { return Ok(()) };
    match read(store, root).await? {
        // The answer was lost, not the set.
        Some((found, _)) if found == *latest => Ok(()),
        _ if conflicts(&failure) => Err(Error::fenced("latest.json was replaced meanwhile")),
        _ => Err(store_error("put latest.json", failure)),
    }
}

/// Whether a set is older than one that was found, in its commit or in any table.
fn is_behind(latest: &Latest, found: &Latest) -> bool {
    let later = |(table, version): (&String, &u64)| found.tables.get(table) > Some(version);
    found.commit > latest.commit || latest.tables.iter().any(later)
}

fn conflicts(failure: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(failure, E::AlreadyExists { .. } | E::Precondition { .. })
}

async fn read(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
) -> Result<Option<(Latest, UpdateVersion)>> {
    let read = async {
        let found = store.get(&path(root)).await?;
        let version =
            UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        Ok::<_, object_store::Error>((found.bytes().await?, version))
    };
    let (bytes, version) = match read.await {
        Ok(read) => read,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(store_error("read latest.json", error)),
    };
    let latest = serde_json::from_slice(&bytes).context(Kind::Data, "read latest.json")?;
    Ok(Some((latest, version)))
}

fn path(root: &Path) -> Path {
    root.clone().join("_onefold").join("latest.json")
}
