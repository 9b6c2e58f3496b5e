use proptest::prelude::*;

use super::*;
use crate::normalise::{Settings, identity};

#[track_caller]
fn check(text: &str, given: &str, surname: &str, tokens: &[&str]) {
    let name = full(text).unwrap_or_default();
    let of = |n: &Option<Name>| n.as_ref().map(|n| n.token.clone()).unwrap_or_default();
    let got: Vec<&str> = name.tokens.iter().map(String::as_str).collect();
    assert_eq!((&*of(&name.given), &*of(&name.surname)), (given, surname), "{text}");
    assert_eq!(got, tokens, "{text}");
}

#[test]
fn full_names_are_split() {
    check("John Smith", "john", "smith", &[]);
    check("SMITH/JOHN", "john", "smith", &[]);
    check("Smith, John", "john", "smith", &[]);
    check("Smith, Mr. John", "john", "smith", &[]);
    check("John Smith, Jr.", "john", "smith", &[]);
    check("Dr. John M. Smith II", "john", "smith", &[]);
    check("Mr John Michael Smith", "john", "smith", &["michael"]);
    check("JOHN S", "john", "s", &[]);
    check("J. Smith", "j", "smith", &[]);
    check("Smith", "", "smith", &[]);
    check("Mary-Jane O'Brien", "maryjane", "obrien", &["jane", "mary"]);
    check("Anna von der Heide", "anna", "derheide", &["heide", "vonderheide"]);
    check("HEIDE/ANNA", "anna", "heide", &[]);
    check("Jean-Luc De La Tour", "jeanluc", "latour", &["delatour", "jean", "luc", "tour"]);
    check("Charles de Gaulle", "charles", "gaulle", &["degaulle"]);
    check("María García López", "maria", "garcialopez", &["garcia", "lopez"]);
    check("García López, María", "maria", "garcialopez", &["garcia", "lopez"]);
    check("佐藤 陽子", "yoko", "sato", &[]);
    check("Олена Шевченко", "olena", "shevchenko", &[]);
    check("VERYLONGSURNAMEX/CHRI", "chri", "verylongsurnamex", &[]);
}

#[test]
fn placeholders_are_no_names() {
    for text in ["N/A", "Unknown", "Test Test", "CUSTOMER", "Walk In", "x", "Guest", "No Name"] {
        assert_eq!(full(text), Err(NoName::Placeholder), "{text}");
    }
    for text in ["-", "Cash Sale", "nan", "???", "Unknown Customer", "Test User"] {
        assert_eq!(full(text), Err(NoName::Placeholder), "{text}");
    }
    assert_eq!(full("12345"), Err(NoName::Unreadable));
    assert_eq!(full("Mr."), Err(NoName::Unreadable));
}

#[test]
fn parts_are_one_token_and_shown_as_written() {
    for (text, token, as_written) in [
        ("mary ann", "maryann", "mary ann"),
        ("Zoë", "zoe", "Zoë"),
        ("Dr. Jürgen", "jurgen", "Jürgen"),
        ("von der Heide", "derheide", "von der Heide"),
        ("St. John", "john", "St. John"),
        ("Smith Jr.", "smith", "Smith"),
        ("Ken'ichi", "kenichi", "Ken'ichi"),
        ("Jo5eph", "joeph", "Jo5eph"),
    ] {
        let want = Name { token: token.into(), shown: as_written.into() };
        assert_eq!(part(text), Ok(want), "{text}");
    }
}

#[test]
fn other_names_of_one_person_are_tokens() {
    check("Mary Smith née Jones", "mary", "smith", &["jones"]);
    check("Mary Smith (née Jones)", "mary", "smith", &["jones"]);
    check("Maria Müller, geb. Schmidt", "maria", "muller", &["schmidt"]);
    check("Mary Smith formerly Jones", "mary", "smith", &["jones"]);
    check("Mary Smith born Jones", "mary", "smith", &["jones"]);
    check("Max Born", "max", "born", &[]);
    check("William (Bill) Smith", "william", "smith", &["bill"]);
    check("Robert \"Bob\" Jones", "robert", "jones", &["bob"]);
    check("Mary Smith-Jones", "mary", "smithjones", &["jones", "smith"]);
    check("Mary Smith - Jones", "mary", "smithjones", &["jones", "smith"]);
    check("EmilyDavies", "emily", "davies", &[]);
    check("daviesemily", "emily", "davies", &[]);
    check("stockdale", "", "stockdale", &[]);
}

#[test]
fn particles_and_suffixes() {
    check("Dick van Dyke", "dick", "dyke", &["vandyke"]);
    check("Rembrandt van 't Hof", "rembrandt", "thof", &["hof", "vanthof"]);
    check("Leonardo da Vinci", "leonardo", "davinci", &["vinci"]);
    check("Mohammed bin Salman", "mohammed", "binsalman", &["salman"]);
    check("Ali Al-Sayed", "ali", "alsayed", &["sayed"]);
    check("Angus Mac Donald", "angus", "macdonald", &["donald"]);
    check("Angus Mc Donald", "angus", "mcdonald", &["donald"]);
    check("Pat O Brien", "pat", "obrien", &["brien"]);
    check("Pat O' Brien", "pat", "obrien", &["brien"]);
    check("John O Smith", "john", "smith", &[]);
    check("Juan Ortega y Gasset", "juan", "ortegaygasset", &["gasset", "ortega"]);
    check("Jack St. John", "jack", "john", &["stjohn"]);
    check("Sammy Davis Junior", "sammy", "davis", &[]);
    check("Captain John Smith", "john", "smith", &[]);
    check("Major General Sir John Smith", "general", "smith", &["john"]);
    check("John Major", "john", "major", &[]);
    check("Dr. med. Hans Müller", "hans", "muller", &[]);
    check("Dipl.-Ing. Hans Müller", "hans", "muller", &[]);
    check("Baroness Emma Orczy", "emma", "orczy", &[]);
    check("William Pitt, 1st Earl of Chatham", "william", "pitt", &["chatham"]);
    check("Watson Cheyne, 1st Bt.", "watson", "cheyne", &[]);
    check("SMITH/JOHNMR", "john", "smith", &["johnmr"]);
    check("SMITH II/WILL", "will", "smith", &[]);
    check("Earl Jones", "earl", "jones", &[]);
    check("John Smith & Co. Ltd", "john", "smith", &[]);
}

#[test]
fn the_order_is_as_written_unless_the_text_says_otherwise() {
    check("Davies E", "e", "davies", &[]);
    check("DAVIES E.", "e", "davies", &[]);
    check("JUTTA W", "jutta", "w", &[]);
    check("Jordan S", "jordan", "s", &[]);
    check("E. D.", "e", "d", &[]);
    check("DAVIES Emily", "emily", "davies", &[]);
    check("LILLIAN Perez", "lillian", "perez", &[]);
    check("Emily DAVIES", "emily", "davies", &[]);
    check("Иванов Иван Иванович", "ivan", "ivanov", &["ivanovich"]);
    check("Ivanov Ivan Ivanovich", "ivan", "ivanov", &["ivanovich"]);
    check("Петрова Анна Сергеевна", "anna", "petrova", &["sergeevna"]);
    check("Ivan Ivanovich Ivanov", "ivan", "ivanov", &["ivanovich"]);
    check("Roman Arkadyevich Abramovich", "roman", "abramovich", &["arkadyevich"]);
    check("Jón Stefánsson", "jon", "stefansson", &[]);
    check("Björk Guðmundsdóttir", "bjork", "gudmundsdottir", &[]);
    check("太郎 佐藤", "taro", "sato", &[]);
    check("高橋健一", "kenichi", "takahashi", &[]);
    check("김민수", "minsu", "kim", &[]);
    check("さとう ようこ", "yoko", "sato", &[]);
    check("محمد علي", "mohammed", "ali", &[]);
    check("José Rodríguez Pérez", "jose", "rodriguezperez", &["perez", "rodriguez"]);
    check("John Martin Lopez", "john", "lopez", &["martin"]);
    check("joan de mowbray, of norfolk", "joan", "mowbray", &["demowbray", "norfolk"]);
}

#[test]
fn compound_parts_give_their_words() {
    let tokens = |field: RawField, value: &str| {
        let raw: RawIdentity = [(field, value.to_owned())].into_iter().collect();
        let out = identity(&raw, &Settings::default()).identity;
        let tokens: Vec<String> = out.name_tokens.iter().map(|t| t.to_string()).collect();
        (
            out.value(Field::Given).unwrap_or_default().to_owned(),
            out.value(Field::Surname).unwrap_or_default().to_owned(),
            tokens,
        )
    };
    let of = |given: &str, surname: &str, tokens: &[&str]| {
        (
            given.to_owned(),
            surname.to_owned(),
            tokens.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(tokens(RawField::Surname, "Smith (née Jones)"), of("", "smith", &["jones"]));
    assert_eq!(tokens(RawField::Surname, "Smith-Jones"), of("", "smithjones", &["jones", "smith"]));
    assert_eq!(tokens(RawField::Surname, "Al-Sayed"), of("", "alsayed", &["sayed"]));
    assert_eq!(tokens(RawField::Surname, "van Dyke"), of("", "dyke", &["vandyke"]));
    assert_eq!(tokens(RawField::Surname, "Stockdale"), of("", "stockdale", &[]));
    assert_eq!(
        tokens(RawField::GivenName, "EmilyDavies"),
        of("emilydavies", "", &["davies", "emily"])
    );
    assert_eq!(tokens(RawField::FullName, "daviesemily"), of("emily", "davies", &[]));
}

#[test]
fn titles_in_columns_are_mended_by_the_full_name() {
    let read = |given: &str, surname: &str, full: &str| {
        let raw: RawIdentity = [
            (RawField::GivenName, given.to_owned()),
            (RawField::Surname, surname.to_owned()),
            (RawField::FullName, full.to_owned()),
        ]
        .into_iter()
        .collect();
        let out = identity(&raw, &Settings::default()).identity;
        [Field::Given, Field::Surname].map(|field| out.value(field).unwrap_or_default().to_owned())
    };
    assert_eq!(read("sir", "smith", "sir william smith"), ["william", "smith"]);
    assert_eq!(read("charles", "baronet", "charles warde, 1st baronet"), ["charles", "warde"]);
    assert_eq!(read("1st", "bt.", "1st bt."), ["", ""]);
    assert_eq!(read("sir", "smith", "sir smith"), ["", "smith"]);
    assert_eq!(read("korgan", "", "korgan"), ["korgan", ""]);
    assert_eq!(read("edward", "", "edward greenly"), ["edward", "greenly"]);
}

#[test]
fn hostile_names_do_no_harm() {
    for text in [
        "(((((((",
        ")(",
        "née née née",
        "/",
        ",",
        ",,,",
        "//",
        "- - -",
        "'' ''",
        "O' O' O'",
        "y y y y y",
        "von van de la",
        "\u{202e}nhoJ",
        "J\u{301}\u{301}\u{301}",
        "・・",
        "様",
        "김",
        "ــــ",
        "Mr Mr Mr",
        "1st 2nd 3rd",
        "Ltd Ltd Ltd",
        "& & &",
        "A/A/A",
        "Smith,,John",
        "\"\"\"\"",
        "née",
        "(née)",
        "O'",
        "McMcMc",
    ] {
        let _ = (part(text), full(text));
    }
    let long = "née (O' ".repeat(60);
    let _ = (part(&long), full(&long));
}

proptest! {
    #[test]
    fn a_full_name_of_its_own_parts_is_the_same(
        text in "(Dr |Sir )?[A-Z][a-z]{2,7} ([A-Z]\\.? )?(van |de la |O'|Mc )?[A-Z][a-z]{2,7}( Jr| née [A-Z][a-z]{3,6}| \\([A-Z][a-z]{3}\\))?",
    ) {
        if let Ok(name) = full(&text) {
            for name in [name.given, name.surname].into_iter().flatten() {
                let again = part(&name.token).map(|again| again.token);
                prop_assert_eq!(again, Ok(name.token));
            }
        }
    }

    #[test]
    fn a_plain_word_is_the_words_of_the_name(
        text in prop_oneof![
            "[A-Za-z]{1,9}",
            "(Mr|Earl|van|de|née|Born|General|Test|Inc|MaryJane|EmilyDavies|O'Neil|Xx|St)( [A-Z][a-z]{1,5})?",
        ],
    ) {
        prop_assert_eq!(known_words(&text), words_of(&text));
    }
}
