use serde_json::{Value, json};

use super::super::testing::{Sent, Shop, crm, published, web};
use super::rows_at_once::BYTES_AT_ONCE;
use super::*;
use crate::profile::Settings;
use crate::sink::testing::{Fault, FaultyStore};

/// Two micro-batches that touch every table.
fn batches() -> [Vec<Sent>; 2] {
    let said = |email: &str, name: &str, state: &str| {
        let says = if state.is_empty() { "bounce" } else { "consent" };
        json!({"email": email, "name": name, "says": says, "state": state})
    };
    let ada = |state: &str| said("ada@shop.example.org", "Ada Lovelace", state);
    let bounce = said("carl@shop.example.org", "Carl", "");
    let card = json!({"loyalty": "L-100"});
    let both = json!({"email": "ada@shop.example.org", "loyalty": "L-100"});
    [
        vec![
            web("e1", 1, ada("granted")),
            web("e2", 2, card.clone()),
            web("e4", 2, bounce),
            crm("r", 3, card),
            ("web", json!({})),
        ],
        vec![
            crm("r", 4, both),
            web("e3", 5, said("bob@shop.example.org", "Bob", "granted")),
            web("e5", 6, ada("withdrawn")),
            ("web", json!(0)),
        ],
    ]
}

type Tables = BTreeMap<&'static str, Vec<Value>>;

/// What is in the tables when nothing goes wrong.
fn expected(publishes: usize) -> Tables {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&store);
    for (at, batch) in batches().iter().enumerate() {
        shop.send(batch);
        if publishes > 1 || at > 0 {
            publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
        }
    }
    published(&store, &Path::default())
}

/// Leaves out in which commit a row last changed, which depends on when it was published.
fn without_versions(mut tables: Tables) -> Tables {
    for row in tables.values_mut().flatten() {
        row.as_object_mut().unwrap().remove("version");
    }
    tables
}

#[test]
fn often_or_once_the_tables_say_the_same() {
    assert_eq!(without_versions(expected(1)), without_versions(expected(2)));
}

#[test]
fn every_row_of_the_register_is_mapped_once() {
    let tables = expected(1);
    let rows = tables["identity_map"].iter().filter(|row| row["record_id"] == "r");
    assert_eq!(rows.count(), 1, "{:#?}", tables["identity_map"]);
    // A version that was replaced before anything was published leaves no trace either.
    assert_eq!(tables["identity_map"].len(), 5);
    assert_eq!(tables["interactions"].len(), 7);
    assert_eq!(tables["dead_letters"].len(), 2);
}

#[test]
fn only_those_who_may_be_contacted_are_in_the_view_of_marketing() {
    for publishes in [1, 2] {
        let tables = expected(publishes);
        let reachable: Vec<_> =
            tables["profiles_marketing"].iter().map(|row| row["email"].as_str()).collect();
        assert_eq!(reachable, [Some("bob@shop.example.org")], "Ada withdrew, Carl never agreed");
        let [suppressed] = tables["suppression"].as_slice() else { panic!("Carl's alone") };
        assert_eq!(
            (&suppressed["address"], &suppressed["reason"]),
            (&json!("carl@shop.example.org"), &json!("visit"))
        );
        assert_eq!(tables["consent_history"].len(), 3);
        let why = |email: &str| {
            let has = |row: &&Value| row["emails"][0]["value"] == email;
            tables["profiles"].iter().find(has).unwrap()["contact_email"].clone()
        };
        assert_eq!(why("ada@shop.example.org"), "withdrawn");
        assert_eq!(why("carl@shop.example.org"), "suppressed");
        assert_eq!(why("bob@shop.example.org"), "yes");
    }
}

#[test]
fn what_is_committed_while_tables_are_written_is_published_next() {
    let [first, second] = batches();
    let alone: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&alone);
    shop.send(&first);
    publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();

    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut press = Press::new(shop.publisher(&store), &shop.model);
    shop.send(&first);
    press.start(shop.store.view(), &shop.registry).unwrap();
    shop.send(&second);
    let (commit, written) = press.finish().unwrap().expect("it was under way");
    written.unwrap();
    assert_eq!(published(&store, &Path::default()), published(&alone, &Path::default()));
    shop.store.clear_outbox(commit).unwrap();
    let publisher = press.publisher_mut().unwrap();
    publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    assert_eq!(published(&store, &Path::default()), expected(2));
}

/// Fails a publish at one table, commits on, and publishes again, perhaps after a restart.
fn cut_short(fault: Fault, at: usize, commits_on: bool, restarts: bool) -> Tables {
    let faulty = Arc::new(FaultyStore::default());
    let store: Arc<dyn ObjectStore> = faulty.clone();
    let [first, second] = batches();
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&store);
    shop.send(&first);
    // The puts before are done, as those that the store's client repeats.
    let mut faults = vec![fault];
    faults.extend(std::iter::repeat_n(Fault::Repeat, at));
    *faulty.faults.lock().unwrap() = faults;
    let cut = publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap_err();
    assert_eq!((cut.kind(), shop.store.published()), (Kind::Unavailable, 0));
    if commits_on {
        shop.send(&second);
    }
    if restarts {
        shop = shop.restart();
        publisher = shop.publisher(&store);
    }
    // What comes late is noticed, and has to be tried once more.
    let mut tries = 0;
    while let Err(error) = publisher.publish(&mut shop.store, &shop.registry, &shop.resolver) {
        tries += 1;
        assert!(error.kind() == Kind::Unavailable && tries < 3, "{error}");
    }
    if !commits_on {
        shop.send(&second);
        publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    }
    assert_eq!(shop.store.published(), shop.store.sequence());
    published(&store, &Path::default())
}

#[test]
fn a_publish_that_was_cut_short_is_made_up_for() {
    let expected = without_versions(expected(1));
    // The eighth table is the last: its entry is put, or the publish is not done.
    for at in 0..8 {
        for fault in [Fault::Refuse, Fault::Delay] {
            // What is refused is simply not there; what comes late may meet any of these.
            let ways = match fault {
                Fault::Delay => &[(false, false), (false, true), (true, false), (true, true)][..],
                _ => &[(false, true), (true, false)],
            };
            for (commits_on, restarts) in ways.iter().copied() {
                let tables = without_versions(cut_short(fault, at, commits_on, restarts));
                for (name, rows) in &expected {
                    assert_eq!(
                        &tables[name], rows,
                        "{name}: {fault:?} at table {at}, commits on: {commits_on}, \
                         restarts: {restarts}"
                    );
                }
            }
        }
    }
}

#[test]
fn nothing_is_published_twice() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&store);
    shop.send(&batches()[0]);
    let written = publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    let Published { mappings, interactions, dead_letters, .. } = written;
    assert_eq!((mappings, interactions, dead_letters), (4, 4, 1));
    let again = publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    assert_eq!(again, Published::default());
}

#[test]
fn an_older_copy_of_the_state_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&store);
    shop.send(&batches()[0]);
    publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    let mut other = Shop::open();
    let mut take = |app| {
        Publisher::take(
            Arc::clone(&store),
            Path::default(),
            app,
            &Settings::default(),
            &mut other.store,
        )
        .err()
        .unwrap()
    };
    assert_eq!(take("shop").kind(), Kind::Data);
    let refused = take("boutique");
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.to_string().contains("the pipeline `shop`"), "{refused}");
}

#[test]
fn of_two_copies_of_a_state_the_one_that_started_first_stops() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let [first, second] = batches();
    let mut shop = Shop::open();
    let mut publisher = shop.publisher(&store);
    shop.send(&first);
    publisher.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap();
    let [mut older, mut newer] = shop.copied();
    assert_eq!(older.store.epoch(), newer.store.epoch(), "they count epochs alike");
    let mut zombie = older.publisher(&store);
    let mut publisher = newer.publisher(&store);
    assert!(newer.store.epoch() > older.store.epoch());
    // Each commits something else under the same number.
    older.send(&second[..1]);
    newer.send(&second);
    let fenced = zombie.publish(&mut older.store, &older.registry, &older.resolver).unwrap_err();
    assert_eq!(fenced.kind(), Kind::Fenced);
    publisher.publish(&mut newer.store, &newer.registry, &newer.resolver).unwrap();
    let tables = without_versions(published(&store, &Path::default()));
    assert!(tables == without_versions(expected(2)), "as if there had been no other");
}

#[test]
fn of_two_jobs_the_earlier_stops() {
    let store: Arc<dyn ObjectStore> = Arc::new(FaultyStore::default());
    let mut shop = Shop::open();
    let mut zombie = shop.publisher(&store);
    shop = shop.restart();
    let _publisher = shop.publisher(&store);
    shop.send(&batches()[0]);
    let fenced = zombie.publish(&mut shop.store, &shop.registry, &shop.resolver).unwrap_err();
    assert_eq!((fenced.kind(), shop.store.published()), (Kind::Fenced, 0));
}

#[test]
fn rows_are_columns_by_their_number_and_their_bytes() {
    let letter = DeadLetter {
        origin: crate::record::Origin { source: "s".into(), partition: "p".into(), offset: 0 },
        reason: crate::record::Reason::Malformed,
        detail: String::new(),
        payload: bytes::Bytes::from_static(b"{"),
        envelope: None,
    };
    let lengths = |count: usize, bytes: fn(&DeadLetter) -> usize| -> Vec<usize> {
        let letters = std::iter::repeat_n(&letter, count).map(|letter| Ok(letter.clone()));
        let batches = chunked(letters, bytes, rows::dead_letters);
        batches.map(|batch| batch.unwrap().num_rows()).collect()
    };
    assert_eq!(lengths(ROWS_AT_ONCE + 1, DeadLetter::bytes), [ROWS_AT_ONCE, 1]);
    // More bytes than fit in memory, were they there.
    assert_eq!(lengths(5, |_| BYTES_AT_ONCE - 1), [2, 2, 1]);
    assert_eq!(lengths(3, |_| usize::MAX / 8), [1, 1, 1]);
    assert_eq!(lengths(0, DeadLetter::bytes), [0; 0]);
}
