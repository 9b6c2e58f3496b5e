use super::*;
use crate::profile::{Activity, Quality, Rule, Seen, Survivorship};
use crate::record::{Address, Details, EventKey, Issue, Normalised, Presented};

fn member(n: u8, at: i64, presented: Presented, fields: &[(Field, &str)]) -> Member {
    of_source("web", n, at, presented, fields)
}

fn of_source(
    source: &str,
    n: u8,
    at: i64,
    presented: Presented,
    fields: &[(Field, &str)],
) -> Member {
    let mut identity = Identity::default();
    fields.iter().for_each(|(field, value)| identity.set(*field, value));
    let record = RecordKey([n; 16]);
    let seen = Seen::once(at, EventKey([n; 16]), source.into(), record);
    let activity = Activity { channel: "web".into(), kind: "login".into() };
    let facts = Facts::of_event(
        activity,
        &Details::default(),
        Normalised { presented, ..Normalised::default() },
        seen,
    );
    Member { record, source: source.into(), record_id: None, identity, facts }
}

fn made(members: &[Member]) -> Profile {
    profile(IdentityId([0; 10]), 1, members, &Settings::default())
}

fn named(n: u8, at: i64, given: &str) -> Member {
    let presented = Presented { given: Some(given.into()), ..Presented::default() };
    member(n, at, presented, &[(Field::Given, given)])
}

fn given(members: &[Member]) -> (String, u64) {
    let value = made(members).given.expect("somebody has a name");
    (value.value, value.seen.count)
}

#[test]
fn the_most_frequent_spelling_stands() {
    assert_eq!(
        given(&[named(1, 9, "Ann"), named(2, 1, "Anna"), named(3, 2, "ANNA")]),
        ("Anna".into(), 2)
    );
}

#[test]
fn of_equally_frequent_spellings_the_latest_stands() {
    assert_eq!(given(&[named(1, 1, "Ann"), named(2, 2, "Anna")]), ("Anna".into(), 1));
}

#[test]
fn an_initial_stands_only_alone() {
    assert_eq!(given(&[named(1, 1, "Anna"), named(2, 2, "A."), named(3, 3, "A.")]).0, "Anna");
    assert_eq!(given(&[named(1, 1, "A.")]).0, "A.");
}

#[test]
fn members_may_come_in_any_order() {
    let mut members = vec![named(1, 1, "Ann"), named(2, 1, "Anna"), named(3, 2, "Anne")];
    let straight = made(&members);
    members.reverse();
    assert_eq!(straight, made(&members));
}

#[test]
fn a_cookie_alone_is_nobody_known() {
    let anonymous = member(1, 1, Presented::default(), &[(Field::Cookie, "c")]);
    assert!(!made(std::slice::from_ref(&anonymous)).known);
    let known = member(2, 1, Presented::default(), &[(Field::Email, "a@b.c")]);
    assert!(made(&[anonymous, known]).known);
}

/// A member of a source with a mailbox.
fn mailed(source: &str, n: u8, at: i64, email: &str) -> Member {
    let presented = Presented { email: Some(email.into()), ..Presented::default() };
    of_source(source, n, at, presented, &[(Field::Email, email)])
}

#[test]
fn each_rule_has_its_own_order() {
    let members = [
        mailed("web", 1, 1, "often@x.org"),
        mailed("web", 2, 2, "often@x.org"),
        mailed("web", 3, 9, "late@x.org"),
        mailed("crm", 4, 3, "crm@x.org"),
        mailed("web", 5, 4, "the.longest.of.all@x.org"),
    ];
    let order = |rule: Rule| {
        let trusted_sources = vec!["crm".into()];
        let survivorship = Survivorship { email: rule, trusted_sources, ..Survivorship::default() };
        let settings = Settings { survivorship, ..Settings::default() };
        let profile = profile(IdentityId([0; 10]), 1, &members, &settings);
        profile.emails.into_iter().map(|value| value.value).collect::<Vec<_>>()
    };
    assert_eq!(order(Rule::MostRecent)[..2], ["late@x.org", "the.longest.of.all@x.org"]);
    assert_eq!(order(Rule::MostFrequent)[..2], ["often@x.org", "late@x.org"]);
    assert_eq!(order(Rule::MostTrustedSource)[..2], ["crm@x.org", "late@x.org"]);
    assert_eq!(order(Rule::Longest)[..2], ["the.longest.of.all@x.org", "often@x.org"]);
}

#[test]
fn a_trusted_source_counts_though_another_said_it_later() {
    let members = [
        mailed("crm", 1, 1, "a@x.org"),
        mailed("web", 2, 5, "a@x.org"),
        mailed("web", 3, 9, "b@x.org"),
    ];
    let survivorship = Survivorship {
        email: Rule::MostTrustedSource,
        trusted_sources: vec!["crm".into()],
        ..Survivorship::default()
    };
    let settings = Settings { survivorship, ..Settings::default() };
    let email = profile(IdentityId([0; 10]), 1, &members, &settings).emails.remove(0);
    assert_eq!((email.value.as_str(), &*email.seen.source), ("a@x.org", "web"));
    assert_eq!((email.seen.first, email.seen.at, email.seen.count), (1, 5, 2));
}

#[test]
fn what_does_not_stand_is_kept_beside() {
    let profile = made(&[named(1, 1, "Ann"), named(2, 2, "Anna"), named(3, 3, "ANNA")]);
    let others: Vec<_> =
        profile.other_values.iter().map(|it| (it.field, it.value.value.as_str())).collect();
    assert_eq!(others, [("given_name", "Ann")]);
}

#[test]
fn values_of_little_use_say_so() {
    let presented = Presented {
        email: Some("a@mailinator.com".into()),
        phone: Some("7700900777".into()),
        address: Some(Address { city: Some("York".into()), ..Address::default() }),
        ..Presented::default()
    };
    let profile = made(&[member(1, 1, presented, &[])]);
    assert_eq!(profile.emails[0].quality, Some(Quality::Disposable));
    assert_eq!(profile.phones[0].quality, Some(Quality::NoCountry));
    assert_eq!(profile.addresses[0].quality, Some(Quality::Incomplete));
    assert_eq!(profile.completeness_percent, 50);
    assert_eq!(made(&[]).completeness_percent, 0);
}

/// A member who lives somewhere.
fn housed(n: u8, surname: &str, house: &str, postcode: &str) -> Member {
    let address = Address {
        line: Some(format!("{house} High Street")),
        postcode: Some(postcode.into()),
        ..Address::default()
    };
    let presented = Presented {
        given: Some(n.to_string()),
        surname: Some(surname.into()),
        address: Some(address),
        ..Presented::default()
    };
    let fields = [
        (Field::Surname, surname),
        (Field::House, house),
        (Field::Street, "high"),
        (Field::Postcode, postcode),
    ];
    member(n, 1, presented, &fields)
}

#[test]
fn a_household_is_a_surname_at_an_address() {
    let of = |member: Member| made(&[member]).household;
    let home = of(housed(1, "lovelace", "1", "yo1"));
    assert!(home.is_some());
    assert_eq!(of(housed(2, "lovelace", "1", "yo1")), home);
    assert_ne!(of(housed(3, "lovelace", "2", "yo1")), home);
    assert_ne!(of(housed(4, "lovelace", "1", "yo2")), home);
    assert_ne!(of(housed(5, "byron", "1", "yo1")), home);
    assert_eq!(of(housed(6, "lovelace", "", "yo1")), None, "a street is no house");
    assert_eq!(of(named(7, 1, "Ada")), None);
}

#[test]
fn what_events_say_is_summed() {
    let event = |n: u8, at: i64, kind: &str, details: Details| {
        let seen = Seen::once(at, EventKey([n; 16]), "web".into(), RecordKey([1; 16]));
        let activity = Activity { channel: "web".into(), kind: kind.into() };
        let issues = vec![Issue::Placeholder(Field::Phone)];
        let normalised = Normalised { issues, ..Normalised::default() };
        Facts::of_event(activity, &details, normalised, seen)
    };
    let call = |resolved, mood| Details {
        reason: Some("delivery".into()),
        resolved,
        sentiment_milli: Some(mood),
        language: Some("de".into()),
        campaign: Some("spring".into()),
        ..Details::default()
    };
    let bought = |product: &str, items| Details {
        product: Some(product.into()),
        items: Some(items),
        language: Some("en".into()),
        ..Details::default()
    };
    const DAY: i64 = 86_400_000_000;
    let mut facts = event(1, DAY, "call", call(Some(true), -200));
    facts.merge(event(2, 40 * DAY, "call", call(None, 500)));
    facts.merge(event(3, 41 * DAY, "purchase", bought("hat", 2)));
    for n in 0..20 {
        facts.merge(event(10 + n, 0, "view", bought(&format!("p{n:02}"), 0)));
    }
    let identity = Identity::default();
    let (record, source) = (RecordKey([1; 16]), "web".into());
    let profile = made(&[Member { record, source, record_id: None, identity, facts }]);
    assert_eq!(profile.months, [(0, "web".into(), 21), (1, "web".into(), 2)]);
    let [reason] = profile.reasons.as_slice() else { panic!("one reason") };
    assert_eq!((reason.contacts, reason.resolved, reason.unresolved), (2, 1, 0));
    assert_eq!((reason.sentiment_milli, profile.sentiment_milli), (Some(150), Some(150)));
    assert_eq!(profile.products.len(), 10);
    assert_eq!(profile.traits.language.as_deref(), Some("en"));
    assert_eq!(profile.issues, [(Issue::Placeholder(Field::Phone), 23)]);
    let last = profile.touches.last.expect("there was one");
    assert_eq!((last.at, last.campaign), (41 * DAY, None));
    let calls = profile.activity.iter().find(|row| &*row.kind == "call").expect("they called");
    assert_eq!((calls.events, calls.last), (2, 40 * DAY));
}
