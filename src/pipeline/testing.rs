//! What the tests of the loop share: a small shop whose messages are sent by hand, and its tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::batch::{Prepared, Readers};
use super::identify::{self, Draft};
use super::index::load_index;
use super::publish::{Publisher, runtime};
use super::registry::Registry;
use crate::config;
use crate::error::Result;
use crate::profile::Settings;
use crate::record::{DeadLetter, IdentityId, Origin, RecordKey};
use crate::resolve::Resolver;
use crate::score::Model;
use crate::sink::{Table, json_rows, tables};
use crate::source::Message;
use crate::state::{Commit, Counters, Options, Store};

/// Events of a web shop, and rows of a customer register whose keys are its own.
const PIPELINE: &str = r#"
    name = "shop"

    [source.web]
    files = "web.jsonl"
    channel = "web"
    event_id = "/id"
    type = { value = "visit" }
    occurred_at = { path = "/at", format = "epoch_seconds" }
    identity = { email = "/email", loyalty = "/loyalty", full_name = "/name", birth_date = "/born" }

    [source.web.consent]
    when = { "/says" = "consent" }
    purpose = { value = "marketing" }
    channel = { value = "email" }
    state = "/state"

    [source.web.suppression]
    when = { "/says" = "bounce" }
    channel = "email"

    [source.till]
    files = "till.jsonl"
    channel = "till"
    event_id = "/id"
    type = { value = "visit" }
    occurred_at = { path = "/at", format = "epoch_seconds" }
    identity = { email = "/email", loyalty = "/loyalty", full_name = "/name", birth_date = "/born" }

    [source.crm]
    files = "crm.jsonl"
    channel = "crm"
    record_id = "/key"
    type = { value = "row" }
    occurred_at = { path = "/at", format = "epoch_seconds" }
    identity = { email = "/email", loyalty = "/loyalty", full_name = "/name", birth_date = "/born" }
"#;

/// The source, and the message.
pub(super) type Sent = (&'static str, Value);

/// An event of the web shop at a second, with what it says of who it is.
pub(super) fn web(id: &str, at: u32, identity: Value) -> Sent {
    ("web", whole(json!({"id": id, "at": 1_700_000_000 + at}), identity))
}

/// A visit in a shop.
pub(super) fn till(id: &str, at: u32, identity: Value) -> Sent {
    ("till", whole(json!({"id": id, "at": 1_700_000_000 + at}), identity))
}

/// A version of a row of the register.
pub(super) fn crm(key: &str, at: u32, identity: Value) -> Sent {
    ("crm", whole(json!({"key": key, "at": 1_700_000_000 + at}), identity))
}

fn whole(mut message: Value, identity: Value) -> Value {
    let fields = message.as_object_mut().unwrap();
    fields.append(&mut identity.as_object().unwrap().clone());
    message
}

/// A state with its index, to which messages are sent by hand.
pub(super) struct Shop {
    folder: TempDir,
    readers: Readers,
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) resolver: Resolver,
    /// By which records are matched.
    pub(super) model: Model,
    sent: u64,
}

/// What makes a commit of a micro-batch.
type Drafting = fn(
    Vec<Result<Prepared, Box<DeadLetter>>>,
    Counters,
    &Store,
    &mut Registry,
    &mut Resolver,
) -> Result<Draft>;

impl Shop {
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = config::parse(PIPELINE, "shop.toml", &|_| None).unwrap();
        Self::start(folder, Readers::new(&plan), Model::default_with(1_000.0), 0)
    }

    fn start(folder: TempDir, readers: Readers, model: Model, sent: u64) -> Self {
        let store = Store::open(&folder.path().join("state"), &Options::default()).unwrap();
        let (registry, resolver) = load_index(model.clone(), &store.view()).unwrap();
        Self { folder, readers, store, registry, resolver, model, sent }
    }

    /// Stops without a goodbye and starts again.
    pub(super) fn restart(self) -> Self {
        let Self { folder, readers, store, model, sent, .. } = self;
        drop(store);
        Self::start(folder, readers, model, sent)
    }

    /// Stops, and starts again beside a copy of itself.
    pub(super) fn copied(self) -> [Self; 2] {
        let Self { folder, readers, store, model, sent, .. } = self;
        drop(store);
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        let plan = config::parse(PIPELINE, "shop.toml", &|_| None).unwrap();
        [
            Self::start(folder, readers, model.clone(), sent),
            Self::start(copy, Readers::new(&plan), model, sent),
        ]
    }

    /// Takes one micro-batch to a commit, and checks that the state fits together after it.
    pub(super) fn send(&mut self, sent: &[Sent]) -> Commit {
        self.take(sent, identify::draft)
    }

    /// The same, but its records are left to be resolved together with others.
    pub(super) fn put_off(&mut self, sent: &[Sent]) -> Commit {
        self.take(sent, identify::draft_put_off)
    }

    fn take(&mut self, sent: &[Sent], draft: Drafting) -> Commit {
        let message = |(source, text): &Sent| {
            let origin =
                Origin { source: (*source).into(), partition: "0".into(), offset: self.sent };
            Message { origin, payload: text.to_string().into(), fault: None, envelope: None }
        };
        let messages: Vec<Message> = sent.iter().map(message).collect();
        self.sent += messages.len() as u64;
        let prepared = self.readers.prepare(&messages);
        let counters = self.store.counters();
        let (registry, resolver) = (&mut self.registry, &mut self.resolver);
        let draft = draft(prepared, counters, &self.store, registry, resolver).unwrap();
        self.store.commit(&draft.commit).unwrap();
        assert!(self.store.counters().reconciles());
        assert_eq!(self.store.counters().read, self.sent);
        let report = self.store.verify().unwrap();
        assert_eq!(report.identities_live, self.registry.identities());
        draft.commit
    }

    /// The identity of each record.
    pub(super) fn identities(&self) -> BTreeMap<RecordKey, IdentityId> {
        let view = self.store.view();
        let records = view.records().map(Result::unwrap);
        records.map(|(node, row)| (row.key, view.identity_of(node).unwrap().unwrap())).collect()
    }

    /// The groups of records that are one identity each.
    pub(super) fn partition(&self) -> Vec<Vec<RecordKey>> {
        let mut groups: BTreeMap<IdentityId, Vec<RecordKey>> = BTreeMap::new();
        for (record, identity) in self.identities() {
            groups.entry(identity).or_default().push(record);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort();
        groups
    }

    pub(super) fn publisher(&mut self, store: &Arc<dyn ObjectStore>) -> Publisher {
        let settings = Settings::default();
        Publisher::take(Arc::clone(store), Path::default(), "shop", &settings, &mut self.store)
            .unwrap()
    }
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// All rows of all tables, by table, in an order of their own.
pub(super) fn published(
    store: &Arc<dyn ObjectStore>,
    root: &Path,
) -> BTreeMap<&'static str, Vec<Value>> {
    let runtime = runtime().unwrap();
    let rows = tables::ALL.into_iter().map(|spec| {
        let table = Table::open_existing(Arc::clone(store), root, spec);
        let table = runtime.block_on(table).unwrap().expect("it was published");
        let batches: Vec<_> = runtime.block_on(table.scan(None).try_collect()).unwrap();
        let mut rows: Vec<Value> =
            batches.iter().flat_map(|batch| json_rows(batch).unwrap()).collect();
        rows.sort_by_key(Value::to_string);
        (spec.name, rows)
    });
    rows.collect()
}
