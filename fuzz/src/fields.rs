//! Fields of identity: is what any text is normalised to of its field's form, and does it stay?

use onefold::normalise::{self, Custom, DateOrder, Kind, Settings};
use onefold::record::{Field, RawField, RawIdentity};

/// The kinds of the fields of one's own, in their order.
const KINDS: [Kind; 8] = [
    Kind::Text,
    Kind::Organisation,
    Kind::Words,
    Kind::Code,
    Kind::Identifier,
    Kind::Date,
    Kind::Number,
    Kind::Location,
];

/// Two letters say what the source says of its values: a region by `A` to `D`, an order of dates.
fn settings(head: &str) -> Settings {
    let mut letters = head.bytes();
    let region = match letters.next() {
        Some(b'A') => Some("US"),
        Some(b'B') => Some("DE"),
        Some(b'C') => Some("GB"),
        Some(b'D') => Some("JP"),
        _ => None,
    };
    let date_order =
        if letters.next() == Some(b'M') { DateOrder::MonthFirst } else { DateOrder::DayFirst };
    let custom = |(field, kind)| Custom { field, kind };
    Settings {
        default_region: region.map(str::to_owned),
        date_order,
        custom: Field::CUSTOM.into_iter().zip(KINDS).map(custom).collect(),
        constant: None,
    }
}

/// The first line holds settings; of each other one the first letter names a field, and the rest is
/// its value.
pub fn normalise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let settings = settings(lines.next().unwrap_or_default());
    let mut record = RawIdentity::new();
    // A line names its field by a letter, from `A` on.
    let own = Field::CUSTOM.map(RawField::Custom);
    let fields = [&RawField::NAMED[..], &own[..]].concat();
    for line in lines.take(fields.len()) {
        let Some(letter) = line.chars().next() else { continue };
        let at = u32::from(letter).wrapping_sub(u32::from('A')) as usize % fields.len();
        record.insert(fields[at], line[letter.len_utf8()..].to_owned());
    }
    holds(&record, &settings);
    for (field, value) in &record {
        alone(*field, value, &settings);
    }
}

/// What must hold of every record.
fn holds(record: &RawIdentity, settings: &Settings) -> Vec<(Field, Box<str>)> {
    let out = normalise::identity(record, settings);
    assert_eq!(out, normalise::identity(record, settings), "normalised once more");
    for (field, value) in &out.identity.values {
        assert!(!value.is_empty() && is_formed(*field, value), "{field:?} {value:?}");
    }
    assert!(out.identity.values.is_sorted_by(|a, b| a.0 < b.0));
    let tokens = &out.identity.name_tokens;
    assert!(tokens.is_sorted_by(|a, b| a < b));
    assert!(tokens.iter().all(|token| !token.is_empty() && is_formed(Field::Given, token)));
    assert!(out.issues.is_sorted_by(|a, b| a < b));
    out.identity.values
}

/// A field's own value, normalised again, is the same.
fn alone(field: RawField, value: &str, settings: &Settings) {
    for (field, value) in holds(&RawIdentity::from([(field, value.to_owned())]), settings) {
        // A house beside it makes a street column one that is not taken apart.
        let mut again = RawIdentity::from([(RawField::House, "1".to_owned())]);
        again.insert(raw_field(field), value.to_string());
        // A national number is one of another country elsewhere, and ISO dates have one order.
        let elsewhere = Settings { default_region: None, ..settings.clone() };
        let again = normalise::identity(&again, &elsewhere).identity;
        assert_eq!(again.value(field), Some(&*value), "{field:?} does not stay");
    }
}

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
        custom => RawField::Custom(custom),
    }
}

fn is_formed(field: Field, value: &str) -> bool {
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
        custom if custom.is_custom() => value.is_ascii(),
        _ => value.bytes().all(code),
    }
}
