use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use futures::{TryStreamExt, stream};
use object_store::path::Path;

use super::*;
use crate::profile::{
    ActivityRow, Cause, ChangeKind, ConsentRow, Contact, MoneyRow, OtherValue, Profile, Quality,
    Reach, ReasonRow, Seen, SourceId, Suppressed, SuppressionFact, Touch, Touches, Traits, Value,
    ValueAddress,
};
use crate::record::{
    Address, ConsentState, ContactChannel, Details, Envelope, EventKey, Field, Header, IdentityId,
    Issue, Origin, Reason, RecordKey, SuppressionState,
};
use crate::sink::testing::{commit, memory};
use crate::sink::{Table, TableSpec};

fn record(i: u64) -> RecordKey {
    RecordKey::hash([&i.to_le_bytes()[..]])
}

fn identity(i: u64) -> IdentityId {
    IdentityId::hash([&i.to_le_bytes()[..]])
}

fn seen(i: u64) -> Seen {
    let event = EventKey::hash([&i.to_le_bytes()[..]]);
    let seen = Seen::once(i as i64 * 1_000_003, event, "web".into(), record(i));
    Seen { count: i + 1, first: 1, ..seen }
}

fn value(text: &str, i: u64) -> Value {
    Value { value: text.into(), seen: seen(i), quality: None }
}

/// A customer with everything, or (odd ones) with next to nothing.
fn profile(i: u64) -> Profile {
    let bare = Profile {
        identity: identity(i),
        version: i,
        known: false,
        given: None,
        surname: None,
        birth_date: None,
        other_values: Vec::new(),
        emails: Vec::new(),
        phones: Vec::new(),
        addresses: Vec::new(),
        household: None,
        ids: Vec::new(),
        issues: Vec::new(),
        completeness_percent: 0,
        consent: Vec::new(),
        contact: Contact::default(),
        agrees_to_profiling: false,
        traits: Traits::default(),
        activity: Vec::new(),
        months: Vec::new(),
        touches: Touches::default(),
        events: 1,
        records: 1,
        first_seen: 0,
        last_seen: 1,
        money: Vec::new(),
        categories: Vec::new(),
        products: Vec::new(),
        reasons: Vec::new(),
        sentiment_milli: None,
    };
    if i % 2 == 1 {
        return bare;
    }
    let address = Address {
        line: Some("1 High Street".into()),
        city: Some("Łódź".into()),
        ..Address::default()
    };
    let (kind, value_of_id) = ("cookie".into(), format!("c{i}"));
    let id = SourceId { kind, source: "web".into(), value: value_of_id, first: 1, last: 9 };
    let consent = ConsentRow {
        purpose: "marketing_email".into(),
        channel: None,
        state: ConsentState::Withdrawn,
        at: 7,
        basis: Some("consent".into()),
        source: "paper".into(),
        policy_version: None,
    };
    let contact = Contact {
        email: Reach::Withdrawn,
        post: Reach::Yes,
        address: Some(address.clone()),
        ..Contact::default()
    };
    let money = |currency: &str, minor| MoneyRow {
        currency: currency.into(),
        decimals: 2,
        purchases: 3,
        purchase_minor: minor,
        returns: 1,
        return_minor: 199,
        items: 4,
        largest_minor: minor,
        last_purchase: Some(8),
    };
    let activity = |kind: &str, events| {
        let (channel, kind) = ("web".into(), kind.into());
        ActivityRow { channel, kind, events, last: 7 }
    };
    let touch = Touch { at: 1, channel: "web".into(), campaign: Some("spring".into()) };
    let reason = ReasonRow {
        reason: "delivery".into(),
        contacts: 3,
        resolved: 1,
        unresolved: 1,
        sentiment_milli: None,
    };
    Profile {
        known: true,
        given: Some(value("Zoë", i)),
        surname: Some(value("O’Brien", i)),
        emails: vec![value(&format!("z{i}@example.org"), i), value("old@example.org", 1)],
        phones: vec![value("+48123456789", i)],
        other_values: vec![OtherValue { field: "given_name", value: value("Zoe", i) }],
        addresses: vec![ValueAddress {
            address,
            seen: seen(i),
            quality: Some(Quality::Incomplete),
        }],
        household: Some("h".into()),
        issues: vec![(Issue::Placeholder(Field::Phone), 2)],
        completeness_percent: 83,
        traits: Traits { language: Some("pl".into()), ..Traits::default() },
        months: vec![(649, "web".into(), 3)],
        touches: Touches { first: Some(touch.clone()), last: Some(touch) },
        products: vec![("SKU1".into(), 4)],
        reasons: vec![reason],
        ids: vec![id],
        consent: vec![consent],
        contact,
        agrees_to_profiling: i.is_multiple_of(4),
        activity: vec![activity("purchase", 3), activity("return", 1)],
        money: vec![money("EUR", 12_345), money("GBP", 1)],
        categories: vec![("shoes".into(), 2)],
        sentiment_milli: Some(-250),
        ..bare
    }
}

fn interaction(i: u64) -> Interaction {
    let money =
        Money { kind: MoneyKind::Return, currency: "EUR".into(), decimals: 2, minor: 4_200 };
    let consent = Consent {
        purpose: "sms".into(),
        channel: Some("sms".into()),
        state: ConsentState::Granted,
        basis: None,
        policy_version: Some("3".into()),
        source: "web".into(),
    };
    let details = match i % 2 {
        0 => Details { money: Some(money), sentiment_milli: Some(-5), ..Details::default() },
        _ => Details {
            consent: Some(consent),
            category: Some("hats".into()),
            campaign: Some("spring".into()),
            ..Details::default()
        },
    };
    Interaction {
        event_id: format!("e{i}"),
        event_key: EventKey::hash([&i.to_le_bytes()[..]]),
        source: "web".into(),
        channel: "web".into(),
        kind: "purchase".into(),
        occurred_at: i as i64 * 86_400_000_000 - 1,
        record: record(i),
        details,
    }
}

fn mapping(i: u64) -> Mapping {
    let record_id = i.is_multiple_of(2).then(|| i.to_string());
    Mapping { record: record(i), source: "crm".into(), record_id, identity: identity(i) }
}

fn change(i: u64) -> Change {
    Change {
        kind: if i.is_multiple_of(2) { ChangeKind::Merged } else { ChangeKind::Created },
        identity: identity(i),
        other: i.is_multiple_of(2).then(|| identity(i + 1)),
        cause: "records".into(),
        epoch: 1,
        occurred_at: i as i64,
    }
}

fn moved(i: u64) -> Move {
    Move {
        record: RecordKey::hash([&i.to_be_bytes()[..]]),
        source: "crm".into(),
        record_id: i.is_multiple_of(2).then(|| "r".into()),
        identity: identity(i),
        other: i.is_multiple_of(3).then(|| identity(i + 1)),
        is_removed: i == 4,
        cause: Cause::Erasure,
        epoch: 2,
        occurred_at: i as i64,
    }
}

fn dead_letter(i: u64) -> DeadLetter {
    DeadLetter {
        origin: Origin { source: "web".into(), partition: "web/0".into(), offset: i },
        reason: Reason::Malformed,
        detail: "not a JSON document".into(),
        payload: vec![0, 255, b'{', i as u8].into(),
        envelope: i.is_multiple_of(2).then(|| {
            let value = (i > 3).then(|| vec![255, i as u8]);
            let header = Header { name: "h".into(), value };
            Envelope { key: Some(vec![i as u8]), headers: vec![header; i as usize] }.into()
        }),
    }
}

fn suppressed(i: u64) -> Suppressed {
    let fact = SuppressionFact {
        at: i as i64,
        state: SuppressionState::Suppressed,
        reason: "bounce".into(),
        address: i.is_multiple_of(2).then(|| "a@x.org".into()),
    };
    let (record, channel) = (record(i), ContactChannel::Email);
    Suppressed { key: Suppressed::key(record, channel), record, channel, fact }
}

fn many<T>(make: fn(u64) -> T) -> Vec<T> {
    (0..9).map(make).collect()
}

/// A batch of each table, in the order in which the table keeps it.
fn all() -> Vec<(&'static TableSpec, RecordBatch)> {
    let mut people = many(profile);
    people.sort_by_key(|profile| profile.identity);
    let mut mappings = many(mapping);
    mappings.sort_by_key(|mapping| mapping.record);
    let mut changes = many(change);
    changes.sort_by_key(|change| change.identity);
    let mut moved = many(moved);
    moved.sort_by_key(|row| row.identity);
    let mut suppressions = many(suppressed);
    suppressions.sort_by_key(|row| row.key);
    vec![
        (&tables::PROFILES, profiles(&people).unwrap()),
        (&tables::PROFILES_MARKETING, profiles_marketing(&people).unwrap()),
        (&tables::SUPPRESSION, suppression(&suppressions).unwrap()),
        (&tables::CONSENT_HISTORY, consent_history(&many(interaction)).unwrap()),
        (&tables::IDENTITY_MAP, identity_map(&mappings).unwrap()),
        (&tables::IDENTITY_CHANGES, identity_changes(&changes).unwrap()),
        (&tables::IDENTITY_CHANGES, moves(&moved).unwrap()),
        (&tables::INTERACTIONS, interactions(&many(interaction)).unwrap()),
        (&tables::DEAD_LETTERS, dead_letters(&many(dead_letter)).unwrap()),
    ]
}

#[tokio::test]
async fn rows_of_every_table_come_back_as_they_went() {
    for (spec, batch) in all() {
        let (store, root) = (memory(), Path::from("out"));
        let mut table = Table::open(store.clone(), &root, spec).await.unwrap();
        let rows = stream::iter([Ok(batch.clone())]);
        match spec.key() {
            Some(_) => table.upsert(rows, 9, &[], &commit(1)).await.unwrap(),
            None => table.append(rows, &commit(1)).await.unwrap(),
        };
        let table = Table::open(store.clone(), &root, spec).await.unwrap();
        let read: Vec<RecordBatch> = table.scan(None).try_collect().await.unwrap();
        assert_eq!(read, std::slice::from_ref(&batch), "{}", spec.name);
        let first = spec.columns[0].name;
        let read: Vec<RecordBatch> = table.scan(Some(&[first])).try_collect().await.unwrap();
        assert_eq!(read, [batch.project(&[0]).unwrap()], "{}", spec.name);
    }
}

#[tokio::test]
async fn a_changed_profile_takes_the_place_of_the_old_one() {
    let (store, root) = (memory(), Path::from("out"));
    let mut table = Table::open(store, &root, &tables::PROFILES).await.unwrap();
    let (_, batch) = all().remove(0);
    table.upsert(stream::iter([Ok(batch)]), 9, &[], &commit(1)).await.unwrap();
    let changed = profiles(&[Profile { known: true, ..profile(3) }]).unwrap();
    table.upsert(stream::iter([Ok(changed.clone())]), 1, &[], &commit(2)).await.unwrap();
    assert_eq!(table.find(&identity(3).to_string()).await.unwrap(), Some(changed));
    assert_eq!(table.rows(), 9);
}

#[test]
fn columns_say_what_the_rows_say() {
    let batch = profiles(&[profile(0), profile(1)]).unwrap();
    let purchases = batch["purchases"].as_list::<i32>().value(0);
    let minor = purchases.as_struct().column_by_name("purchase_minor").unwrap().clone();
    assert_eq!(minor.as_primitive::<Int64Type>().values(), &[12_345, 1]);
    assert_eq!(batch["provenance"].as_list::<i32>().value_length(0), 2);
    assert!(batch["surname"].is_null(1) && batch["sentiment_milli"].is_null(1));
    let months = batch["months"].as_list::<i32>().value(0);
    let first = months.as_struct().column_by_name("month").unwrap().clone();
    assert_eq!(first.as_primitive::<Date32Type>().values(), &[19_754], "1 February 2024");
    assert_eq!(batch["identity_id"].as_string::<i32>().value(1), identity(1).to_string());

    let batch = profiles_marketing(&[profile(0), profile(1), profile(2)]).unwrap();
    assert_eq!(batch.num_rows(), 2, "who may not be contacted is left out");
    let post = batch["contact_post"].as_string::<i32>().iter().flatten().collect::<Vec<_>>();
    assert_eq!(post, ["yes", "yes"]);
    assert_eq!(
        batch["profiled"].as_boolean().iter().collect::<Vec<_>>(),
        [Some(true), Some(false)]
    );
    let lengths = |column: &str| [0, 1].map(|row| batch[column].as_list::<i32>().value_length(row));
    assert_eq!((lengths("purchases"), lengths("activity")), ([2, 0], [2, 0]));
    assert!(batch["sentiment_milli"].is_valid(0) && batch["sentiment_milli"].is_null(1));
    assert!(batch["last_seen"].is_valid(0) && batch["last_seen"].is_null(1));

    let batch = consent_history(&[interaction(0), interaction(1)]).unwrap();
    assert_eq!(batch["event_id"].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("e1")]);

    let batch = interactions(&[interaction(0), interaction(1)]).unwrap();
    assert_eq!(batch["event_date"].as_primitive::<Date32Type>().values(), &[-1, 0]);
    let times = batch["occurred_at"].as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values(), &[-1, 86_399_999_999]);
    assert_eq!(
        batch["money_kind"].as_string::<i32>().iter().collect::<Vec<_>>(),
        [Some("return"), None]
    );
}

#[test]
fn too_many_bytes_are_refused() {
    let large = DeadLetter { payload: vec![0; 1 << 20].into(), ..dead_letter(0) };
    let letters: Vec<DeadLetter> = std::iter::repeat_n(large, 1025).collect();
    assert!(dead_letters(&letters).is_err());
}
