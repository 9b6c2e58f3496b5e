use proptest::prelude::*;

use super::*;
use crate::record::Identity;

fn raw(fields: &[(RawField, &str)]) -> RawIdentity {
    fields.iter().map(|(field, value)| (*field, (*value).to_owned())).collect()
}

fn values(fields: &[(RawField, &str)]) -> Vec<(Field, String)> {
    let identity = identity(&raw(fields), &Settings::default()).identity;
    identity.values.into_iter().map(|(field, value)| (field, value.into())).collect()
}

#[test]
fn a_whole_record_is_normalised() {
    let record = raw(&[
        (RawField::FullName, "Dr. JÜRGEN VON DER HEIDE"),
        (RawField::BirthDate, "14.03.1980"),
        (RawField::Email, "J.Heide+shop@GoogleMail.com"),
        (RawField::Phone, "0151 23456789"),
        (RawField::PhoneRegion, "de"),
        (RawField::Address, "Hauptstr. 12a, 10115 Berlin"),
        (RawField::Gender, "männlich"),
        (RawField::Cookie, "0000000000000000"),
    ]);
    let out = identity(&record, &Settings::default());
    let want = [
        (Field::Given, "jurgen"),
        (Field::Surname, "derheide"),
        (Field::BirthDate, "19800314"),
        (Field::Email, "jheide@gmail.com"),
        (Field::Phone, "5123456789"),
        (Field::House, "12a"),
        (Field::Street, "hauptstrasse"),
        (Field::City, "berlin"),
        (Field::Postcode, "10115"),
        (Field::Gender, "m"),
    ];
    let got: Vec<(Field, &str)> = out.identity.values.iter().map(|(f, v)| (*f, &**v)).collect();
    assert_eq!(got, want);
    assert_eq!(out.identity.name_tokens, ["heide".into(), "vonderheide".into()]);
    assert_eq!(out.issues, [Issue::Placeholder(Field::Cookie), Issue::Repaired(Field::Email)]);
    let shown = out.presented;
    assert_eq!(shown.given.as_deref(), Some("JÜRGEN"));
    assert_eq!(shown.surname.as_deref(), Some("VON DER HEIDE"));
    assert_eq!(shown.email.as_deref(), Some("j.heide+shop@googlemail.com"));
    assert_eq!(shown.phone.as_deref(), Some("+4915123456789"));
    assert_eq!(shown.birth_date.as_deref(), Some("1980-03-14"));
    assert_eq!(shown.address.and_then(|a| a.line).as_deref(), Some("Hauptstr. 12a"));
}

#[test]
fn a_full_name_beside_its_parts_gives_tokens() {
    let out = identity(
        &raw(&[
            (RawField::GivenName, "William"),
            (RawField::Surname, "Pitt"),
            (RawField::FullName, "William Pitt, 1st Earl of Chatham"),
        ]),
        &Settings::default(),
    );
    assert_eq!(out.identity.value(Field::Given), Some("william"));
    assert_eq!(out.identity.value(Field::Surname), Some("pitt"));
    assert_eq!(out.identity.name_tokens, ["chatham".into()]);
}

#[test]
fn columns_are_spelt_one_way() {
    let got = values(&[
        (RawField::House, "83"),
        (RawField::Street, "Wilshire St"),
        (RawField::AddressLine2, "Berajondo"),
        (RawField::City, "Saint  Kilda"),
        (RawField::Region, "Victoria"),
        (RawField::Postcode, "sw1 2ab"),
        (RawField::BirthDate, "19831935"),
        (RawField::GovernmentId, "160-1537"),
    ]);
    let want = [
        (Field::BirthDate, "19831935"),
        (Field::GovernmentId, "1601537"),
        (Field::House, "83"),
        (Field::Street, "wilshire street"),
        (Field::Street2, "berajondo"),
        (Field::City, "st kilda"),
        (Field::Region, "vic"),
        (Field::Postcode, "sw12ab"),
    ];
    assert_eq!(got, want.map(|(field, value)| (field, value.to_owned())));
}

#[test]
fn lines_and_columns_agree() {
    let column = values(&[(RawField::House, "12"), (RawField::Street, "Main Street")]);
    for line in ["12 Main St", "12 Main Street, Apt 4", "12 MAIN ST #4"] {
        assert_eq!(values(&[(RawField::AddressLine, line)]), column, "{line}");
        assert_eq!(values(&[(RawField::Street, line)]), column, "{line}");
    }
}

#[test]
fn nothing_words_are_issues() {
    for field in RawField::NAMED {
        let out = identity(&raw(&[(field, "N/A")]), &Settings::default());
        assert!(out.identity.is_empty(), "{field:?}");
        let silent =
            matches!(field, RawField::PhoneRegion | RawField::Country | RawField::MiddleName);
        assert_eq!(out.issues.is_empty(), silent, "{field:?} {:?}", out.issues);
    }
}

#[test]
fn overlong_values_are_unreadable() {
    let long = "a".repeat(100_000);
    let out = identity(&raw(&[(RawField::GivenName, &long)]), &Settings::default());
    assert!(out.identity.is_empty());
    assert_eq!(out.issues, [Issue::Unreadable(Field::Given)]);
}

/// The raw field that a normalised value may stand in again.
fn raw_field(field: Field) -> RawField {
    match field {
        Field::Given => RawField::GivenName,
        Field::Surname => RawField::Surname,
        Field::BirthDate => RawField::BirthDate,
        Field::Email => RawField::Email,
        Field::Phone => RawField::Phone,
        Field::GovernmentId => RawField::GovernmentId,
        Field::House => RawField::House,
        Field::Street => RawField::Street,
        Field::Street2 => RawField::AddressLine2,
        Field::City => RawField::City,
        Field::Region => RawField::Region,
        Field::Postcode => RawField::Postcode,
        Field::Gender => RawField::Gender,
        Field::Occupation => RawField::Occupation,
        Field::Loyalty => RawField::Loyalty,
        Field::Cookie => RawField::Cookie,
        Field::Device => RawField::Device,
        Field::Card => RawField::Card,
        custom => unreachable!("{custom:?} is not mapped here"),
    }
}

fn in_alphabet(field: Field, value: &str) -> bool {
    let letters = |b: u8| b.is_ascii_lowercase();
    let code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match field {
        Field::Given | Field::Surname | Field::Gender => value.bytes().all(letters),
        Field::BirthDate => value.len() == 8 && value.bytes().all(|b| b.is_ascii_digit()),
        Field::Phone => {
            (6..=10).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
        }
        Field::Email => value.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.is_ascii() && !value.contains(char::is_whitespace)
        }),
        Field::Street | Field::Street2 | Field::City | Field::Occupation => {
            value.split(' ').all(|word| !word.is_empty() && word.bytes().all(code))
        }
        _ => value.bytes().all(code),
    }
}

fn check_invariants(fields: &RawIdentity, settings: &Settings) -> Identity {
    let out = identity(fields, settings);
    for (field, value) in &out.identity.values {
        assert!(!value.is_empty() && in_alphabet(*field, value), "{field:?} {value:?}");
    }
    assert!(out.identity.values.is_sorted_by(|a, b| a.0 < b.0));
    assert!(out.identity.name_tokens.is_sorted_by(|a, b| a < b));
    assert!(out.identity.name_tokens.iter().all(|t| in_alphabet(Field::Given, t) && !t.is_empty()));
    assert!(out.issues.is_sorted_by(|a, b| a < b));
    out.identity
}

/// Normalising a normalised value changes nothing.
#[track_caller]
fn check_stays(field: RawField, value: &str) {
    let first = check_invariants(&raw(&[(field, value)]), &Settings::default());
    for (field, value) in &first.values {
        // A house beside it makes a street column one that is not taken apart.
        let mut fields = raw(&[(RawField::House, "1")]);
        fields.insert(raw_field(*field), value.to_string());
        let again = identity(&fields, &Settings::default()).identity;
        assert_eq!(again.value(*field), Some(&**value), "{field:?}");
    }
}

#[test]
fn values_that_once_changed_stay() {
    check_stays(RawField::Address, "0 0-0");
    check_stays(RawField::Address, "0 xxx");
    check_stays(RawField::Gender, "U¼");
    check_stays(RawField::Gender, "W𐰀");
    check_stays(RawField::Region, "Vi.ctoria");
    check_stays(RawField::Email, "e.o<]\u{338}me@example.o<J;m");
    check_stays(RawField::Email, "e.o<\u{fffd}\u{338}me@example.org<x");
}

/// Text as it comes in: anything, and what looks like a value.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "[a-zA-ZäöüßéÃ©'./, -]{0,30}",
        "[0-9+() ./x-]{0,20}",
        "[0-9]{1,5} [A-Z][a-z]{2,8} (St|Rd|#|Apt [0-9]|Box)[ ,]{1,2}[A-Za-z]{2,9} [A-Z]{2} [0-9]{5}",
        "[A-Za-z.+'\"<>-]{1,12}@(gmail|googlemail|me|yahoo|example)[.,]com",
        "[0-9]{1,4}[-/. ][0-9]{1,4}[-/. ][0-9]{1,4}",
        "\\PC{0,20}",
        "[\u{590}-\u{6ff}\u{4e00}-\u{4eff}😀-😎]{0,12}",
    ]
}

proptest! {
    #[test]
    fn values_are_of_their_alphabet_and_stay(field in 0..RawField::NAMED.len(), value in text()) {
        check_stays(RawField::NAMED[field], &value);
    }

    #[test]
    fn records_never_fail(
        fields in proptest::collection::vec((0..RawField::NAMED.len(), text()), 0..12),
        region in proptest::option::of("[A-Z]{2}"),
        month_first in any::<bool>(),
    ) {
        let date_order = if month_first { DateOrder::MonthFirst } else { DateOrder::DayFirst };
        let fields = fields.into_iter().map(|(at, value)| (RawField::NAMED[at], value)).collect();
        check_invariants(&fields, &Settings { default_region: region, date_order, ..Settings::default() });
    }
}
