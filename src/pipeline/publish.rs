//! How does what was committed become tables?
//!
//! The outbox of the state at one commit → rows → the tables, each with the commit's number in
//! its own transaction → the consistent set → the outbox is cleared.
//!
//! Each step may be repeated, for the same commit or, when the store was away meanwhile, for a later
//! one: a table that has the commit already does nothing, rows that are replaced by key are written
//! again, and rows that are added are only those of the commits that the table has not.

mod vacuum;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream;
use object_store::ObjectStore;
use object_store::path::Path;
use rayon::prelude::*;
use tokio::runtime::Runtime;

use super::registry::Registry;
use crate::clock;
use crate::config::PublishPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::profile::{Change, Interaction, Mapping, Member, Profile, profile};
use crate::record::{DeadLetter, Details, IdentityId, RecordKey, Replay};
use crate::resolve::Resolver;
use crate::sink::{self, CommitInfo, Latest, Table, TableSpec, rows, tables};
use crate::state::{NodeId, Store, View};
use crate::telemetry::{Activity, Telemetry};

/// Rows that are in memory as columns at once.
const ROWS_AT_ONCE: usize = 8_192;
/// And their bytes, but for the last row: a row may be as large as a message, and what is waiting is
/// as much as came while the tables' store was away. Encoding holds them a few times over.
const BYTES_AT_ONCE: usize = 8 << 20;

/// The tables of one pipeline.
pub(super) struct Publisher {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    root: Path,
    app: String,
    profiles: Table,
    identity_map: Table,
    identity_changes: Table,
    interactions: Table,
    dead_letters: Table,
    dead_letter_replays: Table,
    telemetry: Telemetry,
}

/// The rows that one publish wrote, by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) profiles: u64,
    pub(super) mappings: u64,
    pub(super) changes: u64,
    pub(super) interactions: u64,
    pub(super) dead_letters: u64,
}

impl Publisher {
    /// Opens the tables, creating those that are not there, and takes them for this writer.
    ///
    /// **Errors:** `Data` where a table has a commit that the state has not: the state is an older
    /// copy; `Invalid` where another pipeline publishes there.
    pub(super) fn open(plan: &PublishPlan, app: &str, state: &mut Store) -> Result<Self> {
        let opened = sink::open_store(&plan.url, &plan.options.0);
        let taken = opened.and_then(|(store, root)| Self::take(store, root, app, state));
        taken.map_err(|error| error.context(format!("publish.url = {}", plan.url)))
    }

    /// Tells `telemetry` that it gets on.
    pub(super) fn telling(self, telemetry: &Telemetry) -> Self {
        Self { telemetry: telemetry.clone(), ..self }
    }

    /// Takes the tables in a folder of a store.
    pub(super) fn take(
        store: Arc<dyn ObjectStore>,
        root: Path,
        app: &str,
        state: &mut Store,
    ) -> Result<Self> {
        let runtime = runtime()?;
        let open = async |spec| Self::open_table(&store, &root, spec, app, state.sequence()).await;
        let opened: Result<[Table; 6]> = runtime.block_on(async {
            Ok([
                open(&tables::PROFILES).await?,
                open(&tables::IDENTITY_MAP).await?,
                open(&tables::IDENTITY_CHANGES).await?,
                open(&tables::INTERACTIONS).await?,
                open(&tables::DEAD_LETTERS).await?,
                open(&tables::DEAD_LETTER_REPLAYS).await?,
            ])
        });
        let mut opened = opened?;
        // A copy of a state counts epochs as the original does: whoever starts last goes on.
        let latest = opened.iter().filter_map(|table| table.epoch(app)).max();
        if let Some(latest) = latest.filter(|latest| *latest >= state.epoch()) {
            state.raise_epoch(latest + 1)?;
        }
        let nonce = clock::nonce();
        for table in &mut opened {
            runtime.block_on(Self::fence(&store, &root, table, app, state, nonce))?;
        }
        let [profiles, identity_map, identity_changes, interactions, letters, replays] = opened;
        Ok(Self {
            runtime,
            store,
            root,
            app: app.to_owned(),
            profiles,
            identity_map,
            identity_changes,
            interactions,
            dead_letters: letters,
            dead_letter_replays: replays,
            telemetry: Telemetry::default(),
        })
    }

    async fn open_table(
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        spec: &'static TableSpec,
        app: &str,
        sequence: u64,
    ) -> Result<Table> {
        let table = Table::open(Arc::clone(store), root, spec).await?;
        if let Some(other) = table.other_writer(app) {
            return Err(other_pipeline(spec, other));
        }
        if table.txn(app).is_some_and(|commit| commit > sequence) {
            return Err(Error::data(format!(
                "table {} has commits that the state has not: restore the state, or publish to a new place",
                spec.name
            )));
        }
        Ok(table)
    }

    /// Takes a table for this writer.
    async fn fence(
        store: &Arc<dyn ObjectStore>,
        root: &Path,
        table: &mut Table,
        app: &str,
        state: &Store,
        nonce: u64,
    ) -> Result<()> {
        match table.fence(app, state.epoch(), nonce).await {
            Err(lost) if lost.kind() == Kind::Fenced => {
                // The last entry of an earlier writer came in between; a later writer would stay.
                *table = Self::open_table(store, root, table.spec(), app, state.sequence()).await?;
                table.fence(app, state.epoch(), nonce).await
            }
            fenced => fenced,
        }
    }

    /// Publishes what waits in the outbox, and clears it.
    ///
    /// **Errors:** `Unavailable` where the store is away: the outbox is kept, and the same call may be
    /// made again, after further commits too; `Fenced` where another writer has a table.
    pub(super) fn publish(
        &mut self,
        state: &mut Store,
        registry: &Registry,
        resolver: &Resolver,
    ) -> Result<Published> {
        self.telemetry.beat(Activity::Publishing);
        let view = state.view();
        let commit = CommitInfo {
            app: self.app.clone(),
            commit: view.sequence(),
            epoch: view.epoch(),
            time_ms: view.max_event_time() / 1000,
        };
        let members = Members { view: &view, registry, resolver };
        let published = self.write(&members, &commit)?;
        drop(view);
        state.clear_outbox(commit.commit)?;
        Ok(published)
    }

    fn write(&mut self, members: &Members<'_>, commit: &CommitInfo) -> Result<Published> {
        let view = members.view;
        let (live, gone): (Vec<IdentityId>, Vec<IdentityId>) = view
            .touched()?
            .into_iter()
            .partition(|identity| !members.registry.members(identity).is_empty());
        let (mappings, unmapped) = members.mappings()?;
        let runtime = &self.runtime;
        let mut published = Published {
            profiles: live.len() as u64,
            mappings: mappings.len() as u64,
            ..Published::default()
        };

        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        let telemetry = &self.telemetry;
        let chunks = live.chunks(ROWS_AT_ONCE).map(|identities| {
            telemetry.beat(Activity::Publishing);
            rows::profiles(&members.profiles(identities, commit.commit)?)
        });
        let profiles = self.profiles.upsert(stream::iter(chunks), live.len() as u64, &gone, commit);
        runtime.block_on(profiles)?;

        let chunks = mappings.chunks(ROWS_AT_ONCE).map(rows::identity_map);
        let count = mappings.len() as u64;
        let map = self.identity_map.upsert(stream::iter(chunks), count, &unmapped, commit);
        runtime.block_on(map)?;
        self.telemetry.beat(Activity::Publishing);

        let changes = |after| chunked(view.changes(after), change_bytes, rows::identity_changes);
        published.changes = append(runtime, &mut self.identity_changes, commit, changes)?;
        let interactions =
            |after| chunked(view.interactions(after), interaction_bytes, rows::interactions);
        published.interactions = append(runtime, &mut self.interactions, commit, interactions)?;
        let letters =
            |after| chunked(view.dead_letters(after), DeadLetter::bytes, rows::dead_letters);
        published.dead_letters = append(runtime, &mut self.dead_letters, commit, letters)?;

        let replays = |after| {
            chunked(view.replays(after), |_| size_of::<Replay>(), rows::dead_letter_replays)
        };
        append(runtime, &mut self.dead_letter_replays, commit, replays)?;

        let latest = Latest { commit: commit.commit, tables: self.versions() };
        runtime.block_on(sink::write_latest(&self.store, &self.root, &latest))?;
        Ok(published)
    }

    fn tables(&self) -> [&Table; 6] {
        [
            &self.profiles,
            &self.identity_map,
            &self.identity_changes,
            &self.interactions,
            &self.dead_letters,
            &self.dead_letter_replays,
        ]
    }

    /// The version of each table, by name.
    pub(super) fn versions(&self) -> BTreeMap<String, u64> {
        let version = |table: &Table| (table.spec().name.to_owned(), table.version());
        self.tables().into_iter().map(version).collect()
    }

    /// The files of all tables and their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        let files = self.tables().into_iter().map(Table::files);
        files.fold((0, 0), |(files, bytes), (more, size)| (files + more, bytes + size))
    }
}

/// Puts the tables of a pipeline back to a commit, and says which were later. No job can go on with them then: whoever
/// publishes now starts later.
///
/// **Errors:** `Data` where files of that commit are gone; `Invalid` where another pipeline publishes there.
pub(super) fn put_back(plan: &PublishPlan, app: &str, commit: u64) -> Result<Vec<&'static str>> {
    let (store, root) = sink::open_store(&plan.url, &plan.options.0)
        .map_err(|error| error.context(format!("publish.url = {}", plan.url)))?;
    runtime()?.block_on(async {
        let mut opened = Vec::new();
        for spec in tables::ALL {
            let table = Table::open_existing(Arc::clone(&store), &root, spec).await?;
            opened.extend(table);
        }
        if opened.iter().all(|table| table.txn(app) <= Some(commit)) {
            return Ok(Vec::new());
        }
        let epoch = opened.iter().filter_map(|table| table.epoch(app)).max().unwrap_or(0) + 1;
        let (commit, nonce) =
            (CommitInfo { app: app.to_owned(), commit, epoch, time_ms: 0 }, clock::nonce());
        let mut put_back = Vec::new();
        for table in &mut opened {
            if let Some(other) = table.other_writer(app) {
                return Err(other_pipeline(table.spec(), other));
            }
            if table.restore(&commit, nonce).await? {
                put_back.push(table.spec().name);
            }
        }
        let version = |table: &Table| (table.spec().name.to_owned(), table.version());
        let tables = opened.iter().map(version).collect();
        sink::replace_latest(&store, &root, &Latest { commit: commit.commit, tables }).await?;
        Ok(put_back)
    })
}

pub(super) fn other_pipeline(spec: &TableSpec, other: &str) -> Error {
    Error::invalid(format!(
        "table {} is published by the pipeline `{other}`: give publish.url a place of its own, or set `name` back",
        spec.name
    ))
}

/// A runtime for the object store's client.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context(Kind::Unavailable, "start the runtime")
}

/// What a profile or a mapping is made from.
struct Members<'a> {
    view: &'a View,
    registry: &'a Registry,
    resolver: &'a Resolver,
}

impl Members<'_> {
    /// The profiles of identities, in their order.
    fn profiles(&self, identities: &[IdentityId], version: u64) -> Result<Vec<Profile>> {
        identities
            .par_iter()
            .map(|identity| {
                let nodes = self.registry.members(identity).iter();
                let members = nodes.map(|node| self.member(*node)).collect::<Result<Vec<_>>>()?;
                Ok(profile(*identity, version, &members))
            })
            .collect()
    }

    fn member(&self, node: NodeId) -> Result<Member> {
        let row = self.registry.known(node);
        let absent = || Error::internal("a member of an identity is not in the index");
        Ok(Member {
            record: row.key,
            source: Arc::clone(&row.source),
            record_id: row.record_id.as_deref().map(Into::into),
            identity: self.resolver.identity(node).ok_or_else(absent)?,
            facts: self.view.facts(node)?,
        })
    }

    /// The rows of `identity_map` that changed, by record, and the records that are gone.
    fn mappings(&self) -> Result<(Vec<Mapping>, Vec<String>)> {
        let mut rows: BTreeMap<RecordKey, Mapping> = BTreeMap::new();
        let mut gone = Vec::new();
        for change in self.view.mappings()? {
            match (change.removed, self.registry.node(change.node)) {
                // A newer version of the row may have taken its place.
                (Some(key), _) if self.registry.node_of(&key).is_none() => {
                    gone.push(key.to_string());
                }
                (None, Some(node)) => {
                    let Some(identity) = node.identity else { continue };
                    rows.insert(
                        node.key,
                        Mapping {
                            record: node.key,
                            source: Arc::clone(&node.source),
                            record_id: node.record_id.as_deref().map(Into::into),
                            identity,
                        },
                    );
                }
                _ => {}
            }
        }
        Ok((rows.into_values().collect(), gone))
    }
}

/// Adds to a table the rows of the commits that it lacks; returns how many. `rows` gives those after a commit.
fn append<I>(
    runtime: &Runtime,
    table: &mut Table,
    commit: &CommitInfo,
    rows: impl FnOnce(u64) -> I,
) -> Result<u64>
where
    I: Iterator<Item = Result<RecordBatch>> + Send,
{
    runtime.block_on(async {
        let after = table.published(&commit.app).await?;
        Ok(table.append(stream::iter(rows(after)), commit).await?.rows)
    })
}

/// Rows as they come → columns, some at once; `bytes` says how large a row is.
fn chunked<T: Send>(
    items: impl Iterator<Item = Result<T>> + Send,
    bytes: fn(&T) -> usize,
    columns: fn(&[T]) -> Result<RecordBatch>,
) -> impl Iterator<Item = Result<RecordBatch>> + Send {
    let mut items = items.fuse();
    std::iter::from_fn(move || {
        let (mut some, mut size) = (Vec::new(), 0);
        while some.len() < ROWS_AT_ONCE && size < BYTES_AT_ONCE {
            match items.next() {
                Some(Ok(item)) => {
                    size += bytes(&item);
                    some.push(item);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        (!some.is_empty()).then(|| columns(&some))
    })
}

fn change_bytes(change: &Change) -> usize {
    size_of::<Change>() + change.cause.len()
}

fn interaction_bytes(row: &Interaction) -> usize {
    let Details { money: _, consent, category, campaign, sentiment_milli: _ } = &row.details;
    let purpose = consent.as_ref().map(|consent| &consent.purpose);
    let texts = [Some(&row.event_id), category.as_ref(), campaign.as_ref(), purpose];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    size_of::<Interaction>() + texts + row.kind.len() + row.channel.len()
}

mod erase;
#[cfg(test)]
mod tests;
