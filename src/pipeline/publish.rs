//! How does what was committed become tables?
//!
//! The outbox of the state at one commit → rows → the tables, each with the commit's number in
//! its own transaction → the consistent set → the outbox is cleared.
//!
//! Each step may be repeated, for the same commit or, when the store was away meanwhile, for a later
//! one: a table that has the commit already does nothing, rows that are replaced by key are written
//! again, and rows that are added are only those of the commits that the table has not.

mod erase;
mod members;
mod press;
mod profiles;
mod rows_at_once;
mod vacuum;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::runtime::Runtime;

use self::members::{Known, Members, Work};
pub(super) use self::press::Press;
use self::rows_at_once::{
    ROWS_AT_ONCE, append, change_bytes, chunked, interaction_bytes, move_bytes,
};
use super::registry::Registry;
use super::topics::Present;
use crate::clock;
use crate::config::PublishPlan;
use crate::error::{Context, Error, Kind, Result};
use crate::profile::{Interaction, Profile, Settings};
use crate::record::{DeadLetter, IdentityId, Replay};
use crate::resolve::Resolver;
use crate::sink::{self, CommitInfo, Latest, Table, TableSpec, rows, tables};
use crate::state::{Store, View};
use crate::telemetry::{Activity, Telemetry};

/// The tables of one pipeline.
pub(super) struct Publisher {
    runtime: Runtime,
    store: Arc<dyn ObjectStore>,
    root: Path,
    app: String,
    settings: Settings,
    profiles: Table,
    profiles_marketing: Table,
    suppression: Table,
    consent_history: Table,
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
        let settings = &plan.profiles;
        let taken = opened.and_then(|(store, root)| Self::take(store, root, app, settings, state));
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
        settings: &Settings,
        state: &mut Store,
    ) -> Result<Self> {
        let runtime = runtime()?;
        let open = async |spec| Self::open_table(&store, &root, spec, app, state.sequence()).await;
        let opened: Result<[Table; 9]> = runtime.block_on(async {
            Ok([
                open(&tables::PROFILES).await?,
                open(&tables::PROFILES_MARKETING).await?,
                open(&tables::SUPPRESSION).await?,
                open(&tables::CONSENT_HISTORY).await?,
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
        let [profiles, profiles_marketing, suppression, consent_history, rest @ ..] = opened;
        let [identity_map, identity_changes, interactions, letters, replays] = rest;
        Ok(Self {
            runtime,
            store,
            root,
            app: app.to_owned(),
            settings: settings.clone(),
            profiles,
            profiles_marketing,
            suppression,
            consent_history,
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
        let work = Work::of(&view, registry)?;
        let published = self.write(&view, Known::Index { registry, resolver }, &work)?;
        let commit = view.sequence();
        drop(view);
        state.clear_outbox(commit)?;
        Ok(published)
    }

    /// What an entry of a table says that belongs to the commit of a view.
    fn info(&self, view: &View) -> CommitInfo {
        CommitInfo {
            app: self.app.clone(),
            commit: view.sequence(),
            epoch: view.epoch(),
            time_ms: view.max_event_time() / 1000,
        }
    }

    /// Writes what waits in a view.
    fn write(&mut self, view: &View, known: Known<'_>, work: &Work) -> Result<Published> {
        let (commit, settings) = (&self.info(view), &self.settings.clone());
        let members = &Members { view, known, settings };
        let Work { live, gone, mappings, unmapped, .. } = work;
        let mut published = Published {
            profiles: live.len() as u64,
            mappings: mappings.len() as u64,
            ..Published::default()
        };

        let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
        self.write_profiles(members, (live, &gone), unmapped, commit)?;
        let runtime = &self.runtime;

        let unmapped: Vec<String> = unmapped.iter().map(ToString::to_string).collect();
        let chunks = mappings.chunks(ROWS_AT_ONCE).map(rows::identity_map);
        let count = mappings.len() as u64;
        let map = self.identity_map.upsert(stream::iter(chunks), count, &unmapped, commit);
        runtime.block_on(map)?;
        self.telemetry.beat(Activity::Publishing);

        let changes = |after| {
            let identities = chunked(view.changes(after), change_bytes, rows::identity_changes);
            identities.chain(chunked(view.moves(after), move_bytes, rows::moves))
        };
        published.changes = append(runtime, &mut self.identity_changes, commit, changes)?;
        let interactions =
            |after| chunked(view.interactions(after), interaction_bytes, rows::interactions);
        published.interactions = append(runtime, &mut self.interactions, commit, interactions)?;
        let consents = |after| {
            let is_one = |row: &Result<Interaction>| {
                row.as_ref().map_or(true, |row| row.details.consent.is_some())
            };
            let said = view.interactions(after).filter(is_one);
            chunked(said, interaction_bytes, rows::consent_history)
        };
        append(runtime, &mut self.consent_history, commit, consents)?;
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

    fn tables(&self) -> [&Table; 9] {
        [
            &self.profiles,
            &self.profiles_marketing,
            &self.suppression,
            &self.consent_history,
            &self.identity_map,
            &self.identity_changes,
            &self.interactions,
            &self.dead_letters,
            &self.dead_letter_replays,
        ]
    }

    fn tables_mut(&mut self) -> [&mut Table; 9] {
        [
            &mut self.profiles,
            &mut self.profiles_marketing,
            &mut self.suppression,
            &mut self.consent_history,
            &mut self.identity_map,
            &mut self.identity_changes,
            &mut self.interactions,
            &mut self.dead_letters,
            &mut self.dead_letter_replays,
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

/// The profiles of identities as they are now, in their order.
pub(super) fn profiles_of(
    view: &View,
    present: Present<'_>,
    identities: &[IdentityId],
    version: u64,
) -> Result<Vec<Profile>> {
    let Present { registry, resolver, settings } = present;
    let known = Known::Index { registry, resolver };
    Members { view, known, settings }.profiles(identities, version)
}

/// A runtime for the object store's client.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context(Kind::Unavailable, "start the runtime")
}

#[cfg(test)]
mod replayed;
#[cfg(test)]
mod tests;
