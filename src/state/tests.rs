//! The state against a plain model, against crashes, and against damaged files.

mod durability;
mod erasure;
mod letters;
mod model;
mod reading;
mod round_trip;
mod snapshot;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::profile::{Activity, Change, ChangeKind, Facts, Interaction, Seen};
use crate::record::{
    Consent, ConsentState, ContactChannel, DeadLetter, Details, EventKey, Field, Identity,
    IdentityId, Judgement, Money, MoneyKind, Normalised, Origin, Pair, Presented, Reason,
    RecordKey, Suppression, SuppressionState, Verdict,
};

fn open(path: &Path) -> Store {
    Store::open(path, &Options::default()).expect("the state opens")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copy")),
        }
    }
}

fn event_key(n: u64) -> EventKey {
    EventKey::hash([&b"web"[..], &n.to_be_bytes()])
}

fn record_key(node: NodeId) -> RecordKey {
    RecordKey::hash([&node.to_be_bytes()[..]])
}

fn identity_id(n: u32) -> IdentityId {
    IdentityId::hash([&n.to_be_bytes()[..]])
}

fn record(node: NodeId, edition: i64) -> RecordRow {
    let mut identity = Identity::default();
    identity.set(Field::Given, &format!("given{node}"));
    identity.set(Field::Email, &format!("person{node}.{edition}@example.org"));
    identity.name_tokens = vec!["middle".into()];
    RecordRow {
        key: record_key(node),
        source: "crm".into(),
        record_id: node.is_multiple_of(2).then(|| format!("row-{node}")),
        identity,
        version: (edition, [node as u8; 16]),
    }
}

fn facts(node: NodeId, event: u64) -> Facts {
    let details = Details {
        money: Some(Money {
            kind: MoneyKind::Purchase,
            currency: "EUR".to_owned(),
            decimals: 2,
            minor: 100 + event as i64,
        }),
        consent: Some(Consent {
            purpose: "mail".to_owned(),
            channel: Some("post".to_owned()),
            state: ConsentState::Granted,
            basis: None,
            policy_version: Some("3".to_owned()),
            source: "web".to_owned(),
        }),
        suppression: Some(Suppression {
            channels: vec![ContactChannel::Email],
            state: SuppressionState::Suppressed,
            reason: "bounce".to_owned(),
        }),
        category: Some(format!("category{}", event % 3)),
        ..Details::default()
    };
    let presented = Presented { given: Some(format!("Given{node}")), ..Presented::default() };
    let normalised = Normalised { presented, ..Normalised::default() };
    let seen = Seen::once(event as i64, event_key(event), "web".into(), record_key(node));
    let activity = Activity { channel: "web".into(), kind: "purchase".into() };
    Facts::of_event(activity, &details, normalised, seen)
}

fn interaction(node: NodeId, event: u64) -> Interaction {
    Interaction {
        event_id: format!("event-{event}"),
        event_key: event_key(event),
        source: "web".into(),
        channel: "web".into(),
        kind: "purchase".into(),
        occurred_at: event as i64,
        record: record_key(node),
        details: Details { sentiment_milli: Some(-250), ..Details::default() },
    }
}

/// A dead letter whose payload cannot be compressed.
fn dead_letter(offset: u64, payload_bytes: usize) -> DeadLetter {
    let mut payload = vec![0; payload_bytes];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&offset.to_be_bytes()).finalize_xof().fill(&mut payload);
    DeadLetter {
        origin: Origin { source: "web".into(), partition: "web/0".into(), offset },
        reason: Reason::Malformed,
        detail: "/ts: not a time".to_owned(),
        payload: Bytes::from(payload),
        envelope: None,
    }
}

fn change(sequence: u64, identity: IdentityId) -> Change {
    Change {
        kind: ChangeKind::Created,
        identity,
        other: None,
        cause: "records".to_owned(),
        epoch: sequence,
        occurred_at: sequence as i64,
    }
}

fn position(partition: &str, next: u64) -> ((Arc<str>, Arc<str>), u64) {
    (("web".into(), partition.into()), next)
}

/// Commit number `sequence` of a run in which every commit brings a record, its identity and one
/// event of each of the last two records.
fn nth_commit(sequence: u64) -> Commit {
    let node = sequence as NodeId - 1;
    let nodes = [node.saturating_sub(1), node];
    let events = [2 * sequence, 2 * sequence + 1];
    let pairs = || nodes.into_iter().zip(events);
    Commit {
        records: vec![(node, record(node, 0))],
        edges: (node > 0)
            .then(|| (node, vec![Edge { lower: node - 1, weight_bits: sequence as f64 / 3.0 }]))
            .into_iter()
            .collect(),
        members: vec![(node, identity_id(node))],
        identities: vec![IdentityRow {
            id: identity_id(node),
            status: Status::Live,
            version: sequence,
        }],
        facts: pairs().map(|(node, event)| (node, facts(node, event))).collect(),
        events: pairs().map(|(node, event)| (event_key(event), node)).collect(),
        interactions: pairs().map(|(node, event)| interaction(node, event)).collect(),
        dead_letters: vec![dead_letter(sequence, 20)],
        changes: vec![change(sequence, identity_id(node))],
        touched: nodes.map(identity_id).to_vec(),
        mappings: vec![node],
        judgements: nth_judgement(sequence).into_iter().collect(),
        positions: [position("web/0", 3 * sequence)].into(),
        counters: Counters {
            read: 3 * sequence,
            resolved: 2 * sequence,
            duplicate: 0,
            dead_lettered: sequence,
        },
        max_event_time: events[1] as i64,
        ..Commit::default()
    }
}

/// What commit number `sequence` of the run judges of its record and the one before.
fn nth_judgement(sequence: u64) -> Option<Judgement> {
    let node = sequence as NodeId - 1;
    Some(Judgement {
        pair: Pair::of(record_key(node), record_key(node.checked_sub(1)?))?,
        verdict: if sequence.is_multiple_of(2) { Verdict::Together } else { Verdict::Apart },
        reason: format!("reason {sequence}"),
        author: "ada".to_owned(),
        at: sequence as i64,
    })
}

/// Checks that a state holds the run of [`nth_commit`] up to some commit, and returns that.
#[track_caller]
fn check_run(store: &Store) -> u64 {
    let last = store.sequence();
    check_commits(store, last);
    last
}

/// Checks that a state holds these commits, and that no later one changed anything of them.
fn check_commits(store: &Store, last: u64) {
    let report = store.verify().expect("the state fits together");
    let view = store.view();
    assert_eq!((report.records, report.identities_live), (last, last));
    assert_eq!((report.facts_events, report.events), (2 * last, 2 * last));
    assert_eq!((report.edges, report.judgements), (last.saturating_sub(1), last.saturating_sub(1)));
    for judgement in (1..=last).filter_map(nth_judgement) {
        let row = view.judgement(&judgement.pair).expect("judgement");
        assert_eq!(row, Some(judgement));
    }
    assert_eq!(view.counters().read, 3 * last);
    assert!(view.counters().reconciles());
    assert_eq!(u64::from(view.next_node()), last);
    let expected = (last > 0).then(|| position("web/0", 3 * last));
    assert_eq!(view.positions().expect("positions"), expected.into_iter().collect());
    for event in 2..2 * last + 2 {
        let node = view.node_of_event(&event_key(event)).expect("event").expect("known");
        assert!(view.facts(node).expect("facts").events() > 0);
    }
}
