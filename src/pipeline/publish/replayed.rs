//! Whatever happens, `identity_changes` replayed from empty is `identity_map`; so is what a warehouse keeps that reads it
//! now and then.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::index::load_registry;
use super::super::testing::{Sent, Shop, crm, published, till, web};
use super::*;
use crate::config;
use crate::pipeline::carry::{self, Earlier};
use crate::pipeline::erasure::Traces;
use crate::pipeline::{identify, rematch};
use crate::record::{Judgement, Micros, NodeId, Pair, RecordKey, Verdict};
use crate::sink::testing::{Fault, FaultyStore};
use crate::state::{ErasedRecord, Erasure, PendingErasure};

/// What may happen; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Send(Vec<Sent>),
    Judge(usize, usize, Verdict),
    Rematch(f64),
    /// A record, or all of its identity; and whether it is ended by another start.
    Erase {
        record: usize,
        whole: bool,
        crashes: bool,
    },
    /// What goes wrong at which table, and whether the warehouse reads then.
    Publish {
        fault: Option<(Fault, usize)>,
        reads: bool,
    },
    Restart,
}

fn message() -> impl Strategy<Value = Sent> {
    let identity = (0..4_u8, 0..4_u8, 0..5_u8).prop_map(|(email, loyalty, what)| {
        let (email, loyalty) = (format!("p{email}@shop.example.org"), format!("L-10{loyalty}"));
        match what {
            0 => json!({"name": "John Smith"}),
            1 | 2 => json!({ "email": email }),
            3 => json!({ "loyalty": loyalty }),
            _ => json!({"email": email, "loyalty": loyalty}),
        }
    });
    (0..3_u8, 0..40_u8, 0..30_u32, identity).prop_map(|(source, id, at, identity)| match source {
        0 => web(&format!("w{id}"), at, identity),
        1 => till(&format!("t{id}"), at, identity),
        _ => crm(&format!("r{}", id % 4), at, identity),
    })
}

fn step() -> impl Strategy<Value = Step> {
    let verdict =
        prop_oneof![Just(Verdict::Together), Just(Verdict::Apart), Just(Verdict::Withdrawn)];
    let fault = prop_oneof![Just(Fault::Refuse), Just(Fault::Lose), Just(Fault::Delay)];
    prop_oneof![
        6 => prop::collection::vec(message(), 1..6).prop_map(Step::Send),
        2 => (0..20_usize, 0..20_usize, verdict).prop_map(|(a, b, it)| Step::Judge(a, b, it)),
        1 => prop_oneof![Just(-3.0), Just(6.0), Just(14.0)].prop_map(Step::Rematch),
        1 => (0..20_usize, any::<bool>(), any::<bool>())
            .prop_map(|(record, whole, crashes)| Step::Erase { record, whole, crashes }),
        4 => (prop::option::weighted(0.3, (fault, 0..9_usize)), any::<bool>())
            .prop_map(|(fault, reads)| Step::Publish { fault, reads }),
        1 => Just(Step::Restart),
    ]
}

/// What is known of a record: source, row key, identity.
type Row = [Option<String>; 3];
type Map = BTreeMap<String, Row>;

fn word(row: &Value, column: &str) -> Option<String> {
    row[column].as_str().map(str::to_owned)
}

fn row(of: &Value) -> (String, Row) {
    let row = ["source", "record_id", "identity_id"].map(|column| word(of, column));
    (word(of, "record_key").unwrap(), row)
}

/// One who keeps the keys of records, and reads the changes now and then.
#[derive(Default)]
struct Warehouse {
    epoch: u64,
    keys: Map,
}

impl Warehouse {
    fn read(&mut self, changes: &[Value]) {
        let mut new: Vec<&Value> =
            changes.iter().filter(|row| row["epoch"].as_u64() > Some(self.epoch)).collect();
        // Within a commit, any order will do.
        new.sort_by_key(|row| row["epoch"].as_u64());
        for change in new {
            self.epoch = change["epoch"].as_u64().unwrap();
            match change["change"].as_str().unwrap() {
                "assigned" => self.keys.extend([row(change)]),
                "removed" => drop(self.keys.remove(&row(change).0)),
                "erased" | "reduced" => self.forget(changes),
                _ => {}
            }
        }
    }

    /// Keeps the keys that the changes still know of.
    fn forget(&mut self, changes: &[Value]) {
        self.keys.retain(|key, _| changes.iter().any(|row| row["record_key"] == **key));
    }
}

/// A shop, its tables and its warehouse.
struct World {
    /// `None` only while it starts anew.
    shop: Option<Shop>,
    publisher: Option<Publisher>,
    faulty: Arc<FaultyStore>,
    store: Arc<dyn ObjectStore>,
    warehouse: Warehouse,
    judged: i64,
}

impl World {
    fn new() -> Self {
        let faulty = Arc::new(FaultyStore::default());
        let store: Arc<dyn ObjectStore> = faulty.clone();
        let mut shop = Shop::open();
        let publisher = Some(shop.publisher(&store));
        let warehouse = Warehouse::default();
        Self { shop: Some(shop), publisher, faulty, store, warehouse, judged: 0 }
    }

    fn shop(&mut self) -> &mut Shop {
        self.shop.as_mut().unwrap()
    }

    fn restart(&mut self) {
        self.publisher = None;
        let mut shop = self.shop.take().unwrap().restart();
        self.publisher = Some(shop.publisher(&self.store));
        self.shop = Some(shop);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Send(sent) => drop(self.shop().send(&sent)),
            Step::Judge(left, right, verdict) => self.judge(left, right, verdict),
            Step::Rematch(bits) => self.rematch(bits),
            Step::Erase { record, whole, crashes } => self.erase(record, whole, crashes),
            Step::Publish { fault, reads } => {
                // The puts before are done, as those that the store's client repeats.
                *self.faulty.faults.lock().unwrap() = fault.map_or(Vec::new(), |(fault, at)| {
                    std::iter::once(fault).chain(std::iter::repeat_n(Fault::Repeat, at)).collect()
                });
                if self.publish() {
                    self.check(reads);
                }
            }
            Step::Restart => self.restart(),
        }
    }

    fn publish(&mut self) -> bool {
        let (shop, publisher) = (self.shop.as_mut().unwrap(), self.publisher.as_mut().unwrap());
        let done = publisher.publish(&mut shop.store, &shop.registry, &shop.resolver);
        self.faulty.faults.lock().unwrap().clear();
        match done {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unavailable, "{error}");
                false
            }
        }
    }

    fn publish_finally(&mut self) {
        assert!((0..4).any(|_| self.publish()), "it is published in the end");
    }

    fn nodes(&self) -> Vec<(RecordKey, NodeId)> {
        let registry = &self.shop.as_ref().unwrap().registry;
        let nodes = registry.all().into_iter().map(|node| (registry.known(node).key, node));
        nodes.collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    fn judge(&mut self, left: usize, right: usize, verdict: Verdict) {
        let nodes = self.nodes();
        if nodes.is_empty() {
            return;
        }
        let at = |index: usize| nodes[index % nodes.len()].0;
        let Some(pair) = Pair::of(at(left), at(right)) else { return };
        self.judged += 1;
        let (reason, author) = (String::new(), String::new());
        let judgement = Judgement { pair, verdict, reason, author, at: self.judged };
        let shop = self.shop();
        let (view, registry) = (shop.store.view(), &mut shop.registry);
        let draft = identify::draft_judged(vec![judgement], &view, registry, &mut shop.resolver);
        shop.store.commit(&draft.commit).unwrap();
    }

    fn rematch(&mut self, bits: f64) {
        let shop = self.shop();
        shop.model.parameters.threshold_bits = bits;
        let text = serde_json::to_string(&shop.model).unwrap();
        let (store, registry) = (&mut shop.store, &mut shop.registry);
        let (resolver, _) = rematch::commit(shop.model.clone(), text, store, registry).unwrap();
        shop.resolver = resolver;
    }

    /// As the job does it: one commit, then the tables, then the state's disk.
    fn erase(&mut self, record: usize, whole: bool, crashes: bool) {
        let nodes = self.nodes();
        if nodes.is_empty() {
            return;
        }
        let node = nodes[record % nodes.len()].1;
        let shop = self.shop();
        let identity = shop.registry.known(node).identity.unwrap();
        let mut gone = vec![node];
        if whole {
            gone = shop.registry.members(&identity).to_vec();
            gone.sort_unstable();
        }
        let erased = |node: &NodeId| {
            let row = shop.registry.known(*node);
            ErasedRecord { key: row.key, is_row: row.record_id.is_some() }
        };
        let records: Vec<ErasedRecord> = gone.iter().map(erased).collect();
        let view = shop.store.view();
        let judged = view.judgements().map(|it| it.unwrap().pair);
        let is_judged = |pair: &Pair| records.iter().any(|it| pair.keys().contains(&it.key));
        let judgements: Vec<Pair> = judged.filter(is_judged).collect();
        let (registry, resolver) = (&mut shop.registry, &mut shop.resolver);
        let mut draft = identify::draft_erased(&gone, &judgements, &view, registry, resolver);
        let pending = PendingErasure {
            id: [7; 10],
            at: Micros::MIN,
            begun: 0,
            by: "id".into(),
            identities: vec![identity],
            records,
            letters: Vec::new(),
            events: Vec::new(),
            commit: view.sequence() + 1,
        };
        draft.commit.erasure =
            Some(Erasure { events: Vec::new(), judgements, pending: vec![pending] });
        drop(view);
        shop.store.commit(&draft.commit).unwrap();
        if crashes {
            self.restart();
        }
        self.publish_finally();
        let (shop, publisher) = (self.shop.as_mut().unwrap(), self.publisher.as_mut().unwrap());
        let view = shop.store.view();
        let is_there = |record: &RecordKey| shop.registry.node_of(record).is_some();
        let traces = Traces::of(&view.pending_erasures().unwrap(), is_there);
        let commit = publisher.info(&view);
        let runtime = publisher.runtime.handle().clone();
        for table in publisher.tables_mut() {
            runtime.block_on(traces.erase_from(table, &commit)).unwrap();
        }
        drop(view);
        shop.store.rewrite().unwrap();
        self.check(false);
    }

    /// Gives records ids of an earlier output.
    fn carry(&mut self, ids: &[usize]) {
        let shop = self.shop();
        let text = "name = \"shop\"\n[source.web]\nfiles = \"web\"\nchannel = \"web\"\n\
                    event_id = \"/id\"\ntype = { value = \"visit\" }\n\
                    occurred_at = { path = \"/at\", format = \"epoch_seconds\" }\n\
                    identity = { email = \"/email\" }\n[match]\nexpected_customers = 9\n\
                    [state]\npath = \"state\"\n[publish]\nurl = \"out\"\ncarry_ids_from = \"first\"\n";
        let plan = config::parse(text, "shop.toml", &|_| None).unwrap();
        let clusters: Vec<Vec<NodeId>> =
            shop.registry.clusters().into_iter().map(|(_, nodes)| nodes).collect();
        let mut earlier = Earlier::default();
        let mut known = BTreeMap::new();
        for (node, id) in shop.registry.all().into_iter().zip(ids).filter(|(_, id)| **id > 0) {
            let identity = IdentityId::hash([&id.to_be_bytes()[..]]);
            earlier.membership.insert(shop.registry.known(node).key, identity);
            known.insert(node, identity);
        }
        let (commit, _) =
            carry::commit(&plan, &shop.store, &shop.registry, &earlier, &clusters, &known);
        shop.store.commit(&commit).unwrap();
        shop.registry = load_registry(&shop.store.view()).unwrap();
    }

    /// The changes, replayed from empty, and what the warehouse makes of them are the map.
    fn check(&mut self, reads: bool) {
        let tables = published(&self.store, &Path::default());
        let map: Map = tables["identity_map"].iter().map(row).collect();
        let changes = &tables["identity_changes"];
        let mut replayed: BTreeMap<String, (u64, Option<Row>)> = BTreeMap::new();
        let mut once = std::collections::BTreeSet::new();
        for change in changes.iter().filter(|row| row["record_key"].is_string()) {
            let ((key, row), epoch) = (row(change), change["epoch"].as_u64().unwrap());
            assert!(once.insert((key.clone(), epoch)), "one row a record and commit: {change}");
            let last = replayed.entry(key).or_default();
            if last.0 <= epoch {
                *last = (epoch, (change["change"] == "assigned").then_some(row));
            }
        }
        let replayed: Map =
            replayed.into_iter().filter_map(|(key, (_, row))| Some((key, row?))).collect();
        assert_eq!(replayed, map);
        if reads {
            self.warehouse.read(changes);
            assert_eq!(self.warehouse.keys, map, "what was read now and then");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn replayed_from_empty_the_changes_are_the_map(
        steps in prop::collection::vec(step(), 1..24),
        carried in prop::option::weighted(
            0.3,
            (prop::collection::vec(message(), 1..9), prop::collection::vec(0..4_usize, 9))
        ),
    ) {
        let mut world = World::new();
        if let Some((sent, ids)) = carried {
            let sent: Vec<Vec<Sent>> = sent.chunks(3).map(<[Sent]>::to_vec).collect();
            sent.into_iter().for_each(|some| world.take(Step::Send(some)));
            world.carry(&ids);
        }
        for step in steps {
            world.take(step);
        }
        world.publish_finally();
        world.check(true);
    }
}
