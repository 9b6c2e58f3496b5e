use serde_json::{Value, json};

use super::super::testing::{Sent, Shop, crm, till, web};
use super::catch_up::CatchUp;
use super::*;

fn kinds(commit: &Commit) -> Vec<ChangeKind> {
    let mut kinds: Vec<_> = commit.changes.iter().map(|change| change.kind).collect();
    kinds.sort_unstable();
    kinds
}

fn email(name: &str) -> Value {
    json!({"email": format!("{name}@shop.example.org")})
}

fn both(name: &str, loyalty: &str) -> Value {
    json!({"email": format!("{name}@shop.example.org"), "loyalty": loyalty})
}

fn loyalty(loyalty: &str) -> Value {
    json!({"loyalty": loyalty})
}

#[test]
fn an_event_counts_once_in_one_batch_and_across() {
    let mut shop = Shop::open();
    let one = web("e1", 1, email("ada"));
    let commit = shop.send(&[one.clone(), one.clone(), web("e2", 2, email("ada"))]);
    assert_eq!((commit.counters.resolved, commit.counters.duplicate), (2, 1));
    assert_eq!((commit.interactions.len(), commit.records.len()), (2, 1));
    let one = [one];
    let again = shop.send(&one);
    assert_eq!((again.counters.resolved, again.counters.duplicate), (2, 2));
    assert_eq!((again.interactions.len(), again.facts.len()), (0, 0));
    let again = shop.restart().send(&one);
    assert_eq!(again.counters.duplicate, 3);
}

#[test]
fn what_cannot_be_used_is_kept_and_counted() {
    let mut shop = Shop::open();
    let sent = [("web", json!({"id": "e1"})), ("web", json!([])), web("e2", 2, email("ada"))];
    let commit = shop.send(&sent);
    let Counters { read, resolved, duplicate, dead_lettered } = commit.counters;
    assert_eq!((read, resolved, duplicate, dead_lettered), (3, 1, 0, 2));
    assert_eq!(commit.dead_letters.len(), 2);
    assert_eq!(commit.dead_letters[1].payload, "[]");
}

#[test]
fn weak_content_stays_a_node_an_event() {
    let mut shop = Shop::open();
    let name = json!({"name": "John Smith"});
    shop.send(&[web("e1", 1, name.clone()), web("e2", 2, name.clone())]);
    shop.send(&[web("e3", 3, name)]);
    assert_eq!(shop.identities().len(), 3);
    let strong = json!({"name": "John Smith", "born": "1970-02-03"});
    shop.send(&[web("e4", 4, strong.clone()), web("e5", 5, strong.clone())]);
    shop.send(&[web("e6", 6, strong)]);
    assert_eq!(shop.identities().len(), 4);
}

#[test]
fn whatever_comes_last_the_newest_version_of_a_row_stands() {
    let versions =
        [crm("r", 1, email("old")), crm("r", 2, email("mid")), crm("r", 3, email("new"))];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        for batch in 1..=3 {
            let sent: Vec<Sent> = order.iter().map(|at| versions[*at].clone()).collect();
            let mut shop = Shop::open();
            for some in sent.chunks(batch) {
                shop.send(some);
            }
            let rows: Vec<_> = shop.store.view().records().map(Result::unwrap).collect();
            let [(node, row)] = rows.as_slice() else { panic!("{order:?}: {} rows", rows.len()) };
            assert_eq!(
                row.identity.value(crate::record::Field::Email),
                Some("new@shop.example.org")
            );
            let facts = shop.store.view().facts(*node).unwrap();
            assert_eq!(facts.events(), 1, "{order:?} in batches of {batch}");
            assert_eq!(shop.store.counters().resolved, 3);
            assert_eq!(shop.registry.identities(), 1);
        }
    }
}

/// Which source brought the content first depended on arrival, and was published.
#[test]
fn whichever_comes_first_the_source_of_a_record_is_that_of_its_earliest_event() {
    let sent = [
        web("e1", 2, loyalty("L-100")),
        till("e2", 1, loyalty("L-100")),
        web("e3", 3, loyalty("L-100")),
    ];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        for batch in 1..=3 {
            let mut shop = Shop::open();
            let sent: Vec<Sent> = order.iter().map(|at| sent[*at].clone()).collect();
            let mut published = None;
            for some in sent.chunks(batch) {
                let commit = shop.send(some);
                if commit.mappings.contains(&0) {
                    published = shop.registry.node(0).map(|node| Arc::clone(&node.source));
                }
            }
            let rows: Vec<_> = shop.store.view().records().map(Result::unwrap).collect();
            let [(0, row)] = rows.as_slice() else { panic!("{order:?}: {} rows", rows.len()) };
            assert_eq!(&*row.source, "till", "{order:?} in batches of {batch}");
            assert_eq!(published.as_deref(), Some("till"), "what is published is written anew");
            assert!(row.identity.value(crate::record::Field::Loyalty).is_some());
        }
    }
}

#[test]
fn an_identity_is_created_merged_and_split() {
    let mut shop = Shop::open();
    let created = shop.send(&[web("e1", 1, email("ada")), web("e2", 2, loyalty("L-100"))]);
    assert_eq!(kinds(&created), [ChangeKind::Created, ChangeKind::Created]);
    let before = shop.identities();

    let merged = shop.send(&[crm("r", 3, both("ada", "L-100"))]);
    assert_eq!(kinds(&merged), [ChangeKind::Merged]);
    let Change { identity: ended, other: Some(kept), .. } = merged.changes[0] else {
        panic!("a merger names who took over")
    };
    assert!(before.values().any(|id| *id == ended) && before.values().any(|id| *id == kept));
    assert!(shop.identities().values().all(|id| *id == kept));
    let ended_row = shop.store.view().identity(&ended).unwrap().unwrap();
    assert_eq!(ended_row.status, Status::Merged { into: kept });

    let split = shop.send(&[crm("r", 4, email("ada"))]);
    assert_eq!(kinds(&split), [ChangeKind::Split]);
    let Change { identity: new, other: Some(from), .. } = split.changes[0] else {
        panic!("a split names where from")
    };
    assert_eq!(from, kept);
    assert!(new != ended && new != kept, "an id is never used again");
    assert_eq!(shop.partition().iter().map(Vec::len).max(), Some(2));
    assert_eq!(shop.registry.identities(), 2);
    // Whoever lost or gained records is written anew, and the row's mapping, too.
    assert!([kept, new].iter().all(|id| split.touched.contains(id)));
}

#[test]
fn what_did_not_change_is_not_written() {
    let mut shop = Shop::open();
    shop.send(&[web("e1", 1, email("ada")), web("e2", 2, email("bob"))]);
    let commit = shop.send(&[web("e3", 3, email("ada"))]);
    assert_eq!(commit.touched.len(), 1);
    assert_eq!((commit.records.len(), commit.members.len(), commit.changes.len()), (0, 0, 0));
    assert_eq!(commit.interactions.len(), 1);
}

#[test]
fn a_restart_changes_nothing() {
    let batches = [
        vec![web("e1", 1, email("ada")), crm("r", 2, loyalty("L-100"))],
        vec![web("e2", 3, both("ada", "L-100")), crm("s", 4, both("bob", "L-200"))],
        vec![crm("r", 5, email("eve")), web("e3", 6, loyalty("L-200"))],
        vec![crm("s", 7, email("ada")), web("e1", 1, email("ada"))],
    ];
    let mut through = Shop::open();
    let mut halting = Shop::open();
    for batch in &batches {
        let commit = through.send(batch);
        assert_eq!(halting.send(batch), commit);
        halting = halting.restart();
    }
    assert_eq!(through.identities(), halting.identities());
}

#[test]
fn a_catch_up_that_was_cut_short_is_made_anew() {
    let sent = |number: u32| {
        let (name, card) = (format!("p{number}"), format!("l{}", number / 2));
        web(&format!("e{number}"), number, both(&name, &card))
    };
    let events: Vec<Sent> = (0..600).map(sent).collect();
    let mut straight = Shop::open();
    straight.send(&events);

    let mut shop = Shop::open();
    for some in events.chunks(150) {
        assert_eq!(shop.put_off(some).members, [], "nothing is decided yet");
    }
    assert!(shop.store.view().is_unresolved().unwrap());
    let mut rest = CatchUp::begin(&shop.registry, &mut shop.resolver, &mut |_| {});
    for _ in 0..2 {
        let draft = rest.next(&shop.store, &mut shop.registry).expect("there are more parts");
        assert!(!draft.commit.members.is_empty());
        shop.store.commit(&draft.commit).unwrap();
    }
    shop.store.verify().unwrap();

    let mut shop = shop.restart();
    let mut told = Vec::new();
    let mut tell = |compared| told.push(compared);
    catch_up(&mut shop.store, &mut shop.registry, &mut shop.resolver, &mut tell).unwrap();
    assert!(told.is_sorted() && told.first() == Some(&0) && told.last() == Some(&600), "{told:?}");
    assert!(!shop.store.view().is_unresolved().unwrap());
    let report = shop.store.verify().unwrap();
    assert_eq!((report.records, report.identities_live), (600, 300));
    assert_eq!(shop.identities(), straight.identities());
    assert_eq!(report.edges, straight.store.verify().unwrap().edges);
    // What was committed before the cut was not said again.
    let view = shop.store.view();
    assert_eq!(view.changes(0).count(), 300);
    assert_eq!(view.moves(0).count(), 600);
    // And the state goes on; what it knows already leaves nothing to wait for.
    shop.put_off(&events[..9]);
    assert!(!shop.store.view().is_unresolved().unwrap());
    let last = web("last", 9_999, email("p7"));
    shop.send(std::slice::from_ref(&last));
    straight.send(&[last]);
    assert_eq!(shop.partition(), straight.partition());
}
