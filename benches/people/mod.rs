//! Customers to measure with: as many as one likes, each the same in every run.
#![allow(dead_code, reason = "each bench uses some of it")]

use onefold::profile::{
    ActivityRow, Contact, Interaction, MoneyRow, Profile, Reach, Seen, SourceId, Touch, Touches,
    Traits, Value, ValueAddress,
};
use onefold::record::{Address, Details, EventKey, IdentityId, RecordKey};

/// The id of a customer.
pub(crate) fn identity(number: u64) -> IdentityId {
    IdentityId::hash([&number.to_be_bytes()[..]])
}

/// A number in letters, for a name has no digits.
pub(crate) fn letters(number: u64) -> String {
    let letter = |place: u32| char::from(b'a' + (number / 26_u64.pow(place) % 26) as u8);
    (0..3).map(letter).collect()
}

/// A customer whose every value follows from the number.
pub(crate) fn profile(number: u64, version: u64) -> Profile {
    let at = 1_750_000_000_000_000 + (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 30) as i64;
    let event = EventKey::hash([&number.to_be_bytes()[..]]);
    let record = RecordKey::hash([&number.to_be_bytes()[..]]);
    let first = at - 86_400_000_000 * (number % 400) as i64;
    let seen = Seen { count: 3, first, ..Seen::once(at, event, "web".into(), record) };
    let value = |value: String| Value { value, seen: seen.clone(), quality: None };
    let address = Address {
        line: Some(format!("{} Station Road", number % 200)),
        city: Some("Manchester".into()),
        region: None,
        postcode: Some(format!("M{} {}PL", number % 90, number % 9)),
        country: Some("GB".into()),
    };
    let channel = |channel: &str, kind: &str, events| ActivityRow {
        channel: channel.into(),
        kind: kind.into(),
        events,
        last: at - (number % 90) as i64,
    };
    let touch = |at, channel: &str| Some(Touch { at, channel: channel.into(), campaign: None });
    Profile {
        identity: identity(number),
        version,
        known: true,
        given: Some(value(["Elizabeth", "Mary", "John", "Ahmed"][(number % 4) as usize].into())),
        surname: Some(value(format!("Montgomery{}", letters(number % 17_576)))),
        birth_date: Some(value(format!("19{:02}-0{}-11", number % 90 + 10, number % 9 + 1))),
        other_values: Vec::new(),
        emails: vec![value(format!("person{number}@example.com"))],
        phones: vec![value(format!("+4477{:08}", number % 100_000_000))],
        addresses: vec![ValueAddress { address, seen: seen.clone(), quality: None }],
        household: Some(RecordKey::hash([&(number / 2).to_be_bytes()[..]]).to_string()),
        ids: vec![SourceId {
            kind: "loyalty".into(),
            source: "shop".into(),
            value: format!("L{number:08}"),
            first: at - 86_400_000_000,
            last: at,
        }],
        issues: Vec::new(),
        completeness_percent: 100,
        consent: Vec::new(),
        contact: Contact { email: Reach::NoConsent, ..Contact::default() },
        agrees_to_profiling: false,
        traits: Traits { country: Some("GB".into()), ..Traits::default() },
        activity: vec![channel("web", "page_view", number % 40), channel("store", "purchase", 2)],
        months: vec![
            (600 + (number % 24) as i32, "web".into(), number % 40),
            (625, "store".into(), 2),
        ],
        touches: Touches { first: touch(first, "web"), last: touch(at, "store") },
        events: number % 40 + 2,
        records: 3,
        first_seen: at - 86_400_000_000,
        last_seen: at,
        money: vec![MoneyRow {
            currency: "GBP".into(),
            decimals: 2,
            purchases: 2,
            purchase_minor: (number % 9_000) as i64,
            returns: 0,
            return_minor: 0,
            items: number % 9,
            largest_minor: (number % 7_000) as i64,
            last_purchase: Some(at),
        }],
        categories: vec![("shoes".into(), 2)],
        products: vec![(format!("SKU{:05}", number % 5_000), 1)],
        reasons: Vec::new(),
        sentiment_milli: None,
    }
}

/// A page view.
pub(crate) fn interaction(number: u64, occurred_at: i64, record: RecordKey) -> Interaction {
    Interaction {
        event_id: format!("event-{number:012}"),
        event_key: EventKey::hash([&number.to_be_bytes()[..]]),
        source: "web".into(),
        channel: "web".into(),
        kind: "page_view".into(),
        occurred_at,
        record,
        details: Details::default(),
    }
}
