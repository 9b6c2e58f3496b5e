//! Random runs of commits, publishing and reopening against plain maps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What the state is expected to hold.
#[derive(Default)]
struct Expected {
    records: BTreeMap<NodeId, RecordRow>,
    edges: BTreeMap<NodeId, Vec<Edge>>,
    members: BTreeMap<NodeId, IdentityId>,
    identities: BTreeMap<IdentityId, IdentityRow>,
    facts: BTreeMap<NodeId, Facts>,
    events: BTreeMap<EventKey, NodeId>,
    positions: Positions,
    counters: Counters,
    next_node: NodeId,
    next_event: u64,
    sequence: u64,
    /// What each commit left in the outbox.
    outbox: BTreeMap<u64, Commit>,
}

#[derive(Clone, Debug)]
enum Step {
    Commit { new: u32, removed: Vec<prop::sample::Index>, events: Vec<prop::sample::Index> },
    ClearOutbox { keep: u64 },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some_nodes = |most| prop::collection::vec(any::<prop::sample::Index>(), 0..most);
    let step = prop_oneof![
        6 => (0..4u32, some_nodes(2), some_nodes(6))
            .prop_map(|(new, removed, events)| Step::Commit { new, removed, events }),
        2 => (0..3u64).prop_map(|keep| Step::ClearOutbox { keep }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

impl Expected {
    /// Makes a commit that keeps the state consistent, and expects it.
    fn commit(
        &mut self,
        new: u32,
        removed: &[prop::sample::Index],
        events: &[prop::sample::Index],
    ) -> Commit {
        self.sequence += 1;
        let mut commit = Commit::default();
        for node in self.next_node..self.next_node + new {
            self.expect_node(node, &mut commit);
        }
        self.next_node += new;
        let nodes: Vec<NodeId> = self.records.keys().copied().collect();
        for index in events.iter().filter(|_| !nodes.is_empty()) {
            self.expect_event(*index.get(&nodes), &mut commit);
        }
        let removed: BTreeSet<NodeId> =
            removed.iter().filter(|_| !nodes.is_empty()).map(|i| *i.get(&nodes)).collect();
        for node in removed {
            self.expect_removal(node, &mut commit);
        }
        self.expect_identities(&mut commit);
        self.counters.read += events.len() as u64;
        self.counters.resolved += events.len() as u64;
        commit.counters = self.counters;
        let moved = position(&format!("web/{}", self.sequence % 3), self.sequence);
        commit.positions.insert(moved.0.clone(), moved.1);
        self.positions.insert(moved.0, moved.1);
        self.outbox.insert(self.sequence, commit.clone());
        commit
    }

    fn expect_node(&mut self, node: NodeId, commit: &mut Commit) {
        let identity = identity_id(node / 3);
        let edges: Vec<Edge> = self
            .records
            .keys()
            .rev()
            .take(3)
            .map(|lower| Edge { lower: *lower, weight_bits: f64::from(node) / 7.0 })
            .collect();
        commit.records.push((node, record(node, 0)));
        commit.members.push((node, identity));
        commit.edges.push((node, edges.clone()));
        commit.mappings.push(node);
        self.records.insert(node, record(node, 0));
        self.members.insert(node, identity);
        if !edges.is_empty() {
            self.edges.insert(node, edges);
        }
    }

    fn expect_event(&mut self, node: NodeId, commit: &mut Commit) {
        let event = self.next_event;
        self.next_event += 1;
        commit.facts.push((node, facts(node, event)));
        commit.events.push((event_key(event), node));
        commit.interactions.push(interaction(node, event));
        commit.touched.push(self.members[&node]);
        self.facts.entry(node).or_default().merge(facts(node, event));
        self.events.insert(event_key(event), node);
        if event.is_multiple_of(4) {
            // A newer version of a keyed record.
            commit.records.push((node, record(node, event as i64)));
            self.records.insert(node, record(node, event as i64));
        }
    }

    fn expect_removal(&mut self, node: NodeId, commit: &mut Commit) {
        commit.removed.push((node, record_key(node)));
        self.records.remove(&node);
        self.members.remove(&node);
        self.facts.remove(&node);
        self.edges.remove(&node);
        for (higher, edges) in &mut self.edges {
            let before = edges.len();
            edges.retain(|edge| edge.lower != node);
            if edges.len() < before {
                commit.edges.push((*higher, edges.clone()));
            }
        }
        self.edges.retain(|_, edges| !edges.is_empty());
    }

    fn expect_identities(&mut self, commit: &mut Commit) {
        let live: BTreeSet<IdentityId> = self.members.values().copied().collect();
        let known: BTreeSet<IdentityId> = self.identities.keys().copied().collect();
        for id in known.union(&live) {
            let status = if live.contains(id) { Status::Live } else { Status::Retired };
            if self.identities.get(id).is_none_or(|row| row.status != status) {
                let row = IdentityRow { id: *id, status, version: self.sequence };
                self.identities.insert(*id, row.clone());
                commit.changes.push(change(self.sequence, *id));
                commit.identities.push(row);
            }
        }
    }

    fn mappings(&self) -> Vec<MappingChange> {
        let mut changes = BTreeMap::new();
        for commit in self.outbox.values() {
            let there = commit.mappings.iter().map(|node| (*node, None));
            let gone = commit.removed.iter().map(|(node, key)| (*node, Some(*key)));
            changes.extend(there.chain(gone));
        }
        changes.into_iter().map(|(node, removed)| MappingChange { node, removed }).collect()
    }

    fn check(&self, store: &Store) {
        let view = store.view();
        store.verify().expect("the state fits together");
        assert_eq!(view.sequence(), self.sequence);
        assert_eq!(view.next_node(), self.next_node);
        assert_eq!(view.counters(), self.counters);
        assert_eq!(view.positions().expect("positions"), self.positions);
        assert_eq!(read(view.records()), self.records);
        assert_eq!(read(view.edges()), self.edges);
        assert_eq!(read(view.members()), self.members);
        assert_eq!(read(view.identities().map(|row| row.map(|r| (r.id, r)))), self.identities);
        assert_eq!(read(view.all_facts()), self.facts);
        for (node, facts) in &self.facts {
            assert_eq!(view.facts(*node).expect("facts"), *facts);
        }
        let events: Vec<EventKey> = (0..self.next_event + 5).map(event_key).collect();
        let seen = store.events_seen(&events).expect("events");
        for (event, seen) in events.iter().zip(seen) {
            assert_eq!(seen, self.events.contains_key(event));
            let node = store.node_of_event(event).expect("event");
            assert_eq!(node, self.events.get(event).copied());
        }
        self.check_outbox(&view);
    }

    fn check_outbox(&self, view: &View) {
        let commits = || self.outbox.values();
        let interactions: Vec<_> = commits().flat_map(|c| c.interactions.clone()).collect();
        let changes: Vec<_> = commits().flat_map(|c| c.changes.clone()).collect();
        let touched: BTreeSet<_> = commits().flat_map(|c| c.touched.clone()).collect();
        assert!(view.interactions(0).map(|row| row.expect("row")).eq(interactions));
        assert!(view.changes(0).map(|row| row.expect("row")).eq(changes));
        assert!(view.touched().expect("touched").into_iter().eq(touched));
        assert_eq!(view.mappings().expect("mappings"), self.mappings());
    }
}

fn read<K: Ord, V>(rows: impl Iterator<Item = crate::error::Result<(K, V)>>) -> BTreeMap<K, V> {
    rows.collect::<crate::error::Result<_>>().expect("rows are read")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_state_is_what_was_committed(steps in steps()) {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = open(folder.path());
        let mut expected = Expected::default();
        for step in steps {
            match step {
                Step::Commit { new, removed, events } => {
                    let commit = expected.commit(new, &removed, &events);
                    let sequence = store.commit(&commit).expect("commit");
                    prop_assert_eq!(sequence, expected.sequence);
                }
                Step::ClearOutbox { keep } => {
                    let through = expected.sequence.saturating_sub(keep);
                    // Publishing reads the facts of what was touched.
                    for node in expected.facts.keys() {
                        store.view().facts(*node).expect("facts");
                    }
                    store.clear_outbox(through).expect("clear");
                    expected.outbox = expected.outbox.split_off(&(through + 1));
                }
                Step::Reopen => {
                    drop(store);
                    store = open(folder.path());
                    expected.check(&store);
                }
            }
        }
        expected.check(&store);
    }
}
