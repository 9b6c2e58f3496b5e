//! Whoever carries a value, as the matcher compares it, is found by any spelling of it, and nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream;
use object_store::memory::InMemory;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::normalise;
use crate::pipeline::publish::runtime;
use crate::profile::{
    Activity, Change, Facts, Interaction, Mapping, Member, Profile, Seen, Settings, profile,
};
use crate::record::{Details, EventKey, Field, RawField, RawIdentity, RecordKey};
use crate::sink::testing::TINY;
use crate::sink::{CommitInfo, Erasure, rows};

const EMAILS: [&str; 6] = [
    "anna.huber@gmail.com",
    "AnnaHuber+shop@googlemail.com",
    "Anna <anna@example.org>",
    "ANNA@EXAMPLE.ORG",
    "jo@bücher.de",
    "jo@xn--bcher-kva.de",
];
const PHONES: [&str; 6] = [
    "+49 1512 3456789",
    "01512 3456789",
    "00491512-3456789",
    "+44 20 7946 0018",
    "020 79460018",
    "0800 12 34 56 7",
];
const LOYALTIES: [&str; 4] = ["L-1001", "l1001", "L 1002", "99887766-a"];
const GIVEN: [&str; 4] = ["Anna", "ÄNNE", "Karl-Heinz", "Jo"];
const SURNAMES: [&str; 4] = ["Huber", "von der Heide", "O'Brien", "HUBER"];
const BORN: [&str; 3] = ["1990-05-17", "17.05.1990", "1985-02-03"];

fn settings() -> normalise::Settings {
    normalise::Settings { default_region: Some("DE".into()), ..normalise::Settings::default() }
}

fn identity(number: u8) -> IdentityId {
    IdentityId::hash([&[number][..]])
}

/// What one record says, by places in the lists above.
type Said = [Option<prop::sample::Index>; 6];

fn said() -> impl Strategy<Value = Said> {
    std::array::from_fn::<_, 6, _>(|_| prop::option::of(any::<prop::sample::Index>()))
}

fn raw(said: &Said) -> RawIdentity {
    let lists: [(RawField, &[&str]); 6] = [
        (RawField::Email, &EMAILS),
        (RawField::Phone, &PHONES),
        (RawField::Loyalty, &LOYALTIES),
        (RawField::GivenName, &GIVEN),
        (RawField::Surname, &SURNAMES),
        (RawField::BirthDate, &BORN),
    ];
    let fields = lists.into_iter().zip(said);
    fields.filter_map(|((field, list), at)| Some((field, (*at)?.get(list).to_string()))).collect()
}

/// A customer of some records, as the pipeline would publish them.
fn customer(number: u8, records: &[RawIdentity]) -> Profile {
    let members = (0..).zip(records).map(|(at, raw)| {
        let normalised = normalise::identity(raw, &settings());
        let identity = normalised.identity.clone();
        let event = EventKey::hash([&[number, at][..]]);
        let record = RecordKey::hash([&[number, at][..]]);
        let seen = Seen::once(i64::from(at), event, "web".into(), record);
        let activity = Activity { channel: "web".into(), kind: "visit".into() };
        let facts = Facts::of_event(activity, &Details::default(), normalised, seen);
        let record_id = Some(format!("Row/{number}"));
        Member { record, source: "web".into(), record_id, identity, facts }
    });
    let members: Vec<Member> = members.collect();
    profile(super::tests::identity(number), 1, &members, &Settings::default())
}

/// What a raw value is compared as; `None` where it cannot be.
fn compared(raw: RawField, field: Field, value: &str) -> Option<String> {
    let raw = RawIdentity::from([(raw, value.to_owned())]);
    let normalised = normalise::identity(&raw, &settings());
    normalised.identity.value(field).map(ToOwned::to_owned)
}

/// Who says a value in some record, by a look at all of them.
fn who(
    customers: &BTreeMap<u8, Vec<RawIdentity>>,
    says: impl Fn(&RawIdentity) -> bool,
) -> Vec<String> {
    let meant = customers.iter().filter(|(_, records)| records.iter().any(&says));
    let mut ids: Vec<String> = meant.map(|(number, _)| identity(*number).to_string()).collect();
    ids.sort();
    ids
}

fn check(tables: &PublishedTables, customers: &BTreeMap<u8, Vec<RawIdentity>>) {
    let found = |key: LookupKey| -> Vec<String> {
        let ids: Vec<String> = tables.lookup(&key).unwrap().iter().map(super::identity).collect();
        ids
    };
    let value_of = |raw, field, asked: &str| {
        let asked = compared(raw, field, asked);
        who(customers, |record| {
            record.get(&raw).is_some_and(|value| compared(raw, field, value) == asked)
        })
    };
    for email in EMAILS {
        let expected = value_of(RawField::Email, Field::Email, email);
        assert_eq!(found(LookupKey::Email(email.into())), expected, "{email}");
    }
    for phone in PHONES {
        let expected = value_of(RawField::Phone, Field::Phone, phone);
        assert_eq!(found(LookupKey::Phone(phone.into())), expected, "{phone}");
    }
    for loyalty in LOYALTIES {
        let expected = value_of(RawField::Loyalty, Field::Loyalty, loyalty);
        assert_eq!(found(LookupKey::Id(loyalty.into())), expected, "{loyalty}");
    }
    for (number, records) in customers {
        let id = identity(*number).to_string();
        let by_row = if records.is_empty() { Vec::new() } else { vec![id.clone()] };
        assert_eq!(found(LookupKey::Id(format!("row/{number}"))), by_row);
        assert_eq!(found(LookupKey::Id(id.to_uppercase())), [id]);
    }
    let says = |records: &[RawIdentity], raw, field, asked: &str| {
        let asked = compared(raw, field, asked);
        records.iter().any(|record| {
            record.get(&raw).is_some_and(|value| compared(raw, field, value) == asked)
        })
    };
    for (given, surname, born) in [(0, 0, 1), (1, 1, 0), (2, 2, 2), (3, 3, 1)]
        .map(|(g, s, b)| (GIVEN[g], SURNAMES[s], BORN[b]))
    {
        let mut expected: Vec<String> = customers
            .iter()
            .filter(|(_, records)| {
                says(records, RawField::GivenName, Field::Given, given)
                    && says(records, RawField::Surname, Field::Surname, surname)
                    && says(records, RawField::BirthDate, Field::BirthDate, born)
            })
            .map(|(number, _)| identity(*number).to_string())
            .collect();
        expected.sort();
        for name in [format!("{given} {surname}"), format!("{surname}, {given}")] {
            let key = LookupKey::Person { name, born: born.into() };
            assert_eq!(found(key.clone()), expected, "{key:?}");
        }
    }
}

fn commit(number: u64) -> CommitInfo {
    CommitInfo { app: "test".into(), commit: number, epoch: 1, time_ms: 0 }
}

fn empty() -> PublishedTables {
    PublishedTables {
        runtime: runtime().unwrap(),
        store: Arc::new(InMemory::new()),
        root: Path::from("root"),
        settings: settings(),
    }
}

impl PublishedTables {
    fn opened(&self, spec: &'static TableSpec) -> Table {
        let open = Table::open(Arc::clone(&self.store), &self.root, spec);
        self.runtime.block_on(open).unwrap().with_limits(TINY)
    }
}

/// Customers that are put, those that are taken out, and whether these are erased.
type Step = (BTreeMap<u8, Vec<Said>>, Vec<u8>, bool);

fn step() -> impl Strategy<Value = Step> {
    let customers = prop::collection::vec(said(), 0..3);
    let put = prop::collection::btree_map(0u8..24, customers, 0..14);
    (put, prop::collection::vec(0u8..24, 0..4), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]

    #[test]
    fn anybody_is_found_by_anything(steps in prop::collection::vec(step(), 1..4)) {
        let tables = empty();
        let mut table = tables.opened(&tables::PROFILES);
        let mut customers: BTreeMap<u8, Vec<RawIdentity>> = BTreeMap::new();
        for (number, (put, gone, erases)) in (1..).zip(steps) {
            customers.retain(|it, _| !gone.contains(it));
            let put: BTreeMap<u8, Vec<RawIdentity>> =
                put.iter().map(|(number, records)| (*number, records.iter().map(raw).collect())).collect();
            let gone: Vec<String> = gone.iter().map(|it| identity(*it).to_string()).collect();
            let mut profiles: Vec<Profile> =
                put.iter().map(|(number, records)| customer(*number, records)).collect();
            profiles.sort_by_key(|profile| profile.identity);
            let batch = (!profiles.is_empty()).then(|| rows::profiles(&profiles));
            customers.extend(put);
            tables.runtime.block_on(async {
                let removed = if erases { &[][..] } else { &gone };
                if erases {
                    let erasure = Erasure::Keys { gone: &gone, superseded: &[] };
                    table.erase(erasure, &commit(number)).await.unwrap();
                }
                let count = profiles.len() as u64;
                table.upsert(stream::iter(batch), count, removed, &commit(number)).await.unwrap();
            });
            check(&tables, &customers);
        }
    }
}

#[test]
fn the_story_is_told_of_the_records_that_belong_to_the_identity() {
    let tables = empty();
    let (anna, gone) = (identity(1), identity(2));
    let record = |number: u8| RecordKey::hash([&[number][..]]);
    let map = [(1, anna), (2, anna), (3, identity(3))].map(|(number, identity)| Mapping {
        record: record(number),
        source: "web".into(),
        record_id: None,
        identity,
    });
    let mut map = map.to_vec();
    map.sort_by_key(|row| row.record);
    let interactions: Vec<Interaction> = (0u8..30)
        .map(|number| Interaction {
            event_id: format!("event-{number:02}"),
            event_key: EventKey::hash([&[number][..]]),
            source: "web".into(),
            channel: "web".into(),
            kind: "visit".into(),
            occurred_at: i64::from(number / 2) * 1_000_000,
            record: record(number % 3 + 1),
            details: Details::default(),
        })
        .collect();
    let change = |kind, identity, other, epoch: u64| Change {
        kind,
        identity,
        other,
        cause: "records".into(),
        epoch,
        occurred_at: epoch as i64,
    };
    let changes = [
        change(ChangeKind::Created, anna, None, 1),
        change(ChangeKind::Created, gone, None, 1),
        change(ChangeKind::Merged, gone, Some(identity(9)), 2),
        change(ChangeKind::Merged, identity(9), Some(anna), 3),
    ];
    let said: RawIdentity = [(RawField::Email, EMAILS[0].to_owned())].into();
    let profile = customer(1, &[said]);
    let refused = tables.customers(&LookupKey::Id(anna.to_string()), 4).unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid, "nothing is published");
    let [mut profiles, mut of_map] =
        [&tables::PROFILES, &tables::IDENTITY_MAP].map(|spec| tables.opened(spec));
    tables.runtime.block_on(async {
        let rows = stream::iter([rows::profiles(&[profile])]);
        profiles.upsert(rows, 1, &[], &commit(1)).await.unwrap();
        let rows = stream::iter([rows::identity_map(&map)]);
        of_map.upsert(rows, 3, &[], &commit(1)).await.unwrap();
    });
    let key = LookupKey::Email(EMAILS[1].into());
    let [alone] = &tables.customers(&key, 4).unwrap()[..] else { panic!("one is found") };
    assert!(alone.interactions.is_empty() && alone.changes.is_empty(), "tables are not there yet");

    let [mut of_events, mut of_changes] =
        [&tables::INTERACTIONS, &tables::IDENTITY_CHANGES].map(|spec| tables.opened(spec));
    tables.runtime.block_on(async {
        for (number, some) in (1..).zip(interactions.chunks(4)) {
            let rows = stream::iter([rows::interactions(some)]);
            of_events.append(rows, &commit(number)).await.unwrap();
        }
        let rows = stream::iter([rows::identity_changes(&changes)]);
        of_changes.append(rows, &commit(1)).await.unwrap();
    });
    let found = tables.customers(&key, 4).unwrap();
    let [told] = &found[..] else { panic!("one is found") };
    assert_eq!(told.profile["identity_id"], anna.to_string());
    assert!(told.profile.get(KEYS).is_none());
    let ids: Vec<&str> =
        told.interactions.iter().map(|row| row["event_id"].as_str().unwrap()).collect();
    // Of one time, by name.
    assert_eq!(ids, ["event-28", "event-27", "event-24", "event-25"]);
    let epochs: Vec<i64> = told.changes.iter().map(|row| row["epoch"].as_i64().unwrap()).collect();
    assert_eq!(epochs, [3, 1]);
    // The id of one that was merged, twice over.
    let merged = tables.customers(&LookupKey::Id(gone.to_string()), 4).unwrap();
    assert_eq!(serde_json::to_value(&merged).unwrap(), serde_json::to_value(&found).unwrap());
    assert!(tables.customers(&LookupKey::Id("0".repeat(20)), 4).unwrap().is_empty());
}
