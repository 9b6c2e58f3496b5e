use super::*;
use crate::profile::Activity;
use crate::record::{Details, EventKey};

fn member(n: u8, at: i64, presented: Presented, fields: &[(Field, &str)]) -> Member {
    let mut identity = Identity::default();
    fields.iter().for_each(|(field, value)| identity.set(*field, value));
    let record = RecordKey([n; 16]);
    let seen = Seen { at, event: EventKey([n; 16]), source: "web".into(), record, count: 1 };
    let activity = Activity { channel: "web".into(), kind: "login".into() };
    let facts = Facts::of_event(activity, at, &Details::default(), presented, seen);
    Member { record, source: "web".into(), record_id: None, identity, facts }
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
