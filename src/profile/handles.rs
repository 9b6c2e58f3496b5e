//! By what is a customer found, however it is spelt?
//!
//! A *handle* is a value as the matcher compares it: a mailbox, a number, an identifier, a word of a name with a birth
//! date. [`Handles`] are those that a profile shows; [`Sought`] says which of them somebody asks for. Published rows
//! carry 32 bits of a hash of each ([`lookup_keys`]), so that a reader finds the few rows that may be meant without
//! reading the others; whether they are ([`Sought::is_met_by`]) is told by the values themselves.
//!
//! Names: a row is meant that has the birth date, and of the words that are asked for one as a given name and another
//! as a surname, in whatever order they are written; of a single word, that word. So middle names may be there or not.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use super::Profile;
use crate::normalise::{DateOrder, code, date, email, name, phone};

/// What collects the handles of a profile.
pub trait Collect {
    /// Takes the handle of these words.
    fn take(&mut self, words: &[&str]);

    /// Takes a mailbox, as a profile shows it.
    fn email(&mut self, shown: &str) {
        if let Some(key) = email::key(shown) {
            self.take(&[EMAIL, &key]);
        }
    }

    /// Takes a number, as a profile shows it.
    fn phone(&mut self, shown: &str) {
        if let Some(key) = phone::key_of_shown(shown) {
            self.take(&[PHONE, &key]);
        }
    }

    /// Takes an identifier of a kind.
    fn id(&mut self, kind: &str, value: &str) {
        self.take(&[if kind == RECORD { ROW } else { ID }, &value.to_lowercase()]);
    }

    /// Takes each name with each birth date.
    fn person(&mut self, person: &Person) {
        for born in &person.born {
            person.given.iter().for_each(|word| self.take(&[GIVEN, born, word]));
            person.surname.iter().for_each(|word| self.take(&[SURNAME, born, word]));
        }
    }
}

/// What a profile is found by.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Handles(BTreeSet<String>);

/// The keys of what a profile is found by.
#[derive(Default)]
struct Keys(Vec<i32>);

/// The handles that somebody asks for: all of one of some sets.
#[derive(Clone, PartialEq, Eq)]
pub struct Sought(Vec<Vec<String>>);

/// A record's own row key, as the kind of an id in a profile.
const RECORD: &str = "record";

/// Words of a name that are looked for; more of them only make pairs.
const WORDS_MAX: usize = 8;

// The first word of a handle.
const EMAIL: &str = "email";
const PHONE: &str = "phone";
const ID: &str = "id";
const ROW: &str = "row";
const GIVEN: &str = "given";
const SURNAME: &str = "surname";

/// 32 bits of a hash of each handle of a profile, ascending, each once.
pub fn lookup_keys(profile: &Profile) -> Vec<i32> {
    let mut keys = Keys::default();
    profile.emails.iter().for_each(|email| keys.email(&email.value));
    profile.phones.iter().for_each(|phone| keys.phone(&phone.value));
    profile.ids.iter().for_each(|id| keys.id(&id.kind, &id.value));
    let mut person = Person::default();
    let chosen = [
        ("given_name", &profile.given),
        ("surname", &profile.surname),
        ("birth_date", &profile.birth_date),
    ];
    for (field, value) in chosen {
        value.iter().for_each(|value| person.note(field, &value.value));
    }
    profile.other_values.iter().for_each(|other| person.note(other.field, &other.value.value));
    keys.person(&person);
    keys.0.sort_unstable();
    keys.0.dedup();
    keys.0
}

impl Collect for Handles {
    fn take(&mut self, words: &[&str]) {
        self.0.insert(handle(words));
    }
}

impl Collect for Keys {
    fn take(&mut self, words: &[&str]) {
        self.0.push(key(words));
    }
}

/// The names and birth dates of a profile.
#[derive(Clone, Default)]
pub struct Person {
    given: BTreeSet<String>,
    surname: BTreeSet<String>,
    born: BTreeSet<String>,
}

impl Person {
    /// Adds a value of `given_name`, `surname` or `birth_date`.
    pub fn note(&mut self, field: &str, shown: &str) {
        match field {
            "given_name" => self.given.extend(name::known_words(shown)),
            "surname" => self.surname.extend(name::known_words(shown)),
            "birth_date" => _ = self.born.insert(shown.replace('-', "")),
            _ => {}
        }
    }
}

impl Sought {
    /// Whoever has a mailbox; `None` where the text is no address.
    pub fn email(text: &str) -> Option<Self> {
        Some(Self(vec![vec![handle(&[EMAIL, &email::key(text)?])]]))
    }

    /// Whoever has a number; `region` is the country of one without a country code. `None` where the text is none.
    pub fn phone(text: &str, region: Option<&str>) -> Option<Self> {
        let number = phone::phone(text, region).ok()?;
        // As it would be shown: where its country is not known, the digits are all that there is.
        let shown = number.e164.as_deref().unwrap_or(&number.digits);
        let keys = [Some(number.key), phone::key_of_shown(shown)];
        let keys: BTreeSet<String> = keys.into_iter().flatten().collect();
        Some(Self(keys.iter().map(|key| vec![handle(&[PHONE, key])]).collect()))
    }

    /// Whoever has a number that is written with its country code, by its digits alone: [`Sought::phone`] reads the
    /// numbering plans of all countries first, which takes longer than a lookup. `None` where it is written otherwise.
    pub fn phone_as_shown(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let key = phone::key_of_shown(&format!("+{digits}"))?;
        Some(Self(vec![vec![handle(&[PHONE, &key])]]))
    }

    /// Whoever carries an identifier, or has a row of that key.
    pub fn id(text: &str) -> Self {
        let text = text.trim();
        let mut handles = Handles::default();
        [RECORD, ID].iter().for_each(|kind| handles.id(kind, text));
        code::identifier(text).iter().for_each(|code| handles.id(ID, code));
        Self(handles.0.into_iter().map(|handle| vec![handle]).collect())
    }

    /// Whoever has a name and a birth date; `None` where either cannot be read.
    pub fn person(full_name: &str, born: &str, order: DateOrder) -> Option<Self> {
        let born = date::birth_date(born, order).ok()?.digits;
        let mut words = name::asked_words(full_name);
        words.truncate(WORDS_MAX);
        let of = |part, word: &String| handle(&[part, &born, word]);
        let alone = |word: &String| [vec![of(GIVEN, word)], vec![of(SURNAME, word)]];
        let both = |given: &String| -> Vec<Vec<String>> {
            let others = words.iter().filter(|surname| *surname != given);
            others.map(|surname| vec![of(GIVEN, given), of(SURNAME, surname)]).collect()
        };
        let sets: Vec<Vec<String>> = match words.as_slice() {
            [word] => alone(word).into(),
            words => words.iter().flat_map(both).collect(),
        };
        (!sets.is_empty()).then_some(Self(sets))
    }

    /// Whether handles hold one of the sets.
    pub fn is_met_by(&self, handles: &Handles) -> bool {
        self.0.iter().any(|set| set.iter().all(|handle| handles.0.contains(handle)))
    }

    /// The keys of each set.
    pub fn keys(&self) -> Vec<Vec<i32>> {
        self.0.iter().map(|set| set.iter().map(|handle| key(&[handle])).collect()).collect()
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Debug for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

fn handle(words: &[&str]) -> String {
    words.join(" ")
}

/// Of a handle's words, or of the handle.
fn key(words: &[&str]) -> i32 {
    static HASHER: LazyLock<blake3::Hasher> =
        LazyLock::new(|| blake3::Hasher::new_derive_key("onefold lookup key"));
    let mut hasher = HASHER.clone();
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            hasher.update(b" ");
        }
        hasher.update(word.as_bytes());
    }
    let mut bytes = [0; 4];
    hasher.finalize_xof().fill(&mut bytes);
    i32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(given: &[&str], surname: &[&str], born: &[&str]) -> Handles {
        let mut person = Person::default();
        given.iter().for_each(|it| person.note("given_name", it));
        surname.iter().for_each(|it| person.note("surname", it));
        born.iter().for_each(|it| person.note("birth_date", it));
        let mut handles = Handles::default();
        handles.person(&person);
        handles
    }

    #[test]
    fn names_are_found_in_any_order_and_spelling() {
        let anna = person(&["Anna", "Änne"], &["Huber", "von der Heide"], &["1990-05-17"]);
        for (asked, born, found) in [
            ("Anna Huber", "1990-05-17", true),
            ("ANNA  HUBER", "17.5.1990", true),
            ("Huber, Anna", "1990-05-17", true),
            ("Huber Anna Maria", "1990-05-17", true),
            ("Dr. Anna Maria Huber", "1990-05-17", true),
            ("Anne Huber", "1990-05-17", true),
            ("Änne von der Heide", "1990-05-17", true),
            ("Huber", "1990-05-17", true),
            ("Anna", "1990-05-17", true),
            ("Anna Meier", "1990-05-17", false),
            ("Maria Huber", "1990-05-17", false),
            ("Anna Huber", "1990-05-18", false),
        ] {
            let sought = Sought::person(asked, born, DateOrder::DayFirst).unwrap();
            assert_eq!(sought.is_met_by(&anna), found, "{asked}");
        }
        let double = person(&["Mary-Jane"], &["O'Brien Smith"], &["1990-05-17", "1990-05-18"]);
        for asked in ["Mary Jane O'Brien", "Jane Smith", "mary-jane obrien smith", "Smith Maryjane"]
        {
            let sought = Sought::person(asked, "18.05.1990", DateOrder::DayFirst).unwrap();
            assert!(sought.is_met_by(&double), "{asked}");
        }
        for (name, born) in [("Anna Huber", "no date"), ("Anna Huber", ""), ("", "1990-05-17")] {
            assert_eq!(Sought::person(name, born, DateOrder::DayFirst), None);
        }
    }

    #[test]
    fn identifiers_are_found_as_written_and_as_compared() {
        let mut handles = Handles::default();
        handles.id("cookie", "ga121234567");
        handles.id(ROW, "C-10/7");
        for (asked, found) in [
            ("GA1.2.1234567", true),
            ("ga121234567", true),
            (" c-10/7 ", true),
            ("C107", false),
            ("", false),
        ] {
            assert_eq!(Sought::id(asked).is_met_by(&handles), found, "{asked}");
        }
    }

    #[test]
    fn what_is_sought_is_not_shown() {
        let sought = Sought::email("anna@example.org").unwrap();
        let mut handles = Handles::default();
        handles.email("anna@example.org");
        assert!(sought.is_met_by(&handles));
        assert_eq!(format!("{sought:?} {handles:?}"), "<redacted> <redacted>");
        let mut keys = Keys::default();
        keys.email("Anna@Example.org");
        assert_eq!(sought.keys(), [keys.0]);
    }

    proptest! {
        /// Whatever the source's country, a number that a profile shows has the key that it was compared by.
        #[test]
        fn a_shown_number_is_found(
            raw in "(\\+|00|0|\\+49|\\+44 |\\+1|8)?[1-9][0-9 ]{5,13}",
            region in prop::sample::select(vec![None, Some("DE"), Some("GB"), Some("US"), Some("IT")]),
            asked in prop::sample::select(vec![None, Some("DE"), Some("GB")]),
        ) {
            let Ok(number) = phone::phone(&raw, region) else { return Ok(()) };
            let shown = number.e164.clone().unwrap_or(number.digits);
            let mut handles = Handles::default();
            handles.phone(&shown);
            if number.e164.is_some() {
                prop_assert_eq!(phone::key_of_shown(&shown), Some(number.key));
            }
            // Asked for as it was given, in the source's country, or as it is shown, in any.
            prop_assert!(Sought::phone(&raw, region).unwrap().is_met_by(&handles));
            if shown.starts_with('+') {
                prop_assert!(Sought::phone(&shown, asked).unwrap().is_met_by(&handles));
            }
        }
    }
}
