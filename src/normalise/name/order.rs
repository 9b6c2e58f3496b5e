//! Which words of a full name are the given name, and which the surname?
//!
//! Western order, unless the text says otherwise: a comma or a stroke, the script, a patronymic at the end, capitals
//! or a last initial beside names that the lists know. What stays in doubt stays in the written order; the scorer
//! compares names crosswise.

use crate::normalise::lexicon;

use super::glued;
use super::native;
use super::words::{has_word, is_particle, words};

/// A full name's parts as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub given: Option<String>,
    pub surname: Option<String>,
    /// Whether they were cut out of one word.
    pub one_word: bool,
}

impl Parts {
    fn of(given: &str, surname: &str) -> Self {
        Self { given: Some(given.to_owned()), surname: Some(surname.to_owned()), one_word: false }
    }

    fn lone(surname: &str) -> Self {
        Self { surname: Some(surname.to_owned()), ..Self::default() }
    }
}

/// Splits a full name without asides that holds a word at least.
pub(super) fn parts(text: &str) -> Parts {
    if let Some((surname, given)) = native::in_order(text) {
        return Parts { one_word: !text.contains(' '), ..Parts::of(given, surname) };
    }
    if let Some((surname, given)) = turned(text) {
        return Parts::of(first_name(without_glued_title(text, given)), surname);
    }
    let text = match text.split_once(',') {
        // `William Pitt, 1st Earl of Chatham`, `John Smith, Jr`
        Some((name, _)) if has_word(name) => name,
        _ => text,
    };
    let all: Vec<&str> = text.split(' ').collect();
    let at = name_words(text, &all);
    let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
        return Parts::lone(text);
    };
    if first == last {
        return match glued::split(all[first]) {
            Some((given, surname)) => Parts { one_word: true, ..Parts::of(given, surname) },
            None => Parts::lone(all[first]),
        };
    }
    let names: Vec<String> = at.iter().map(|&i| letters(all[i])).collect();
    if let Some(surnames) = surnames_first(&all, &at, &names) {
        return Parts::of(all[at[surnames]], &all[first..at[surnames]].join(" "));
    }
    let start = surname_start(&all, &at, &names);
    Parts::of(all[first], &all[start..=last].join(" "))
}

fn letters(word: &str) -> String {
    words(word).into_iter().map(|word| word.letters).collect()
}

/// Which words hold a name. Particles count only between other words; titles count nowhere, ranks (`Captain John Smith`)
/// not at the beginning.
fn name_words(text: &str, all: &[&str]) -> Vec<usize> {
    let names = words(text);
    let mut start = 0;
    let mut at = Vec::with_capacity(all.len());
    for (index, word) in all.iter().enumerate() {
        let end = start + word.len();
        if names.iter().any(|name| (start..end).contains(&name.at)) {
            at.push(index);
        }
        start = end + 1;
    }
    at
}

/// `SMITH/JOHN` and `Smith, John`: surname and given name; not `John Smith, Jr` nor `John Smith, 1st Earl of Lytham`.
fn turned(text: &str) -> Option<(&str, &str)> {
    let (surname, given) = text.split_once(',').or_else(|| text.split_once('/'))?;
    let peerage = given.split_whitespace().next().is_some_and(|word| !has_word(word))
        && given
            .split_whitespace()
            .any(|word| matches!(word.to_ascii_lowercase().as_str(), "of" | "the"));
    let of = given.trim_start().get(..3).is_some_and(|start| start.eq_ignore_ascii_case("of "));
    (!peerage && !of && has_word(surname) && has_word(given)).then_some((surname, given))
}

/// The airlines' `SMITH/JOHNMR`: no name ends so.
fn without_glued_title<'a>(text: &str, given: &'a str) -> &'a str {
    let word = given.trim_end();
    let title =
        ["MSTR", "MRS", "MR"].into_iter().find(|title| text.contains('/') && word.ends_with(title));
    title.and_then(|title| word.strip_suffix(title)).filter(|rest| rest.len() > 1).unwrap_or(given)
}

fn first_name(given: &str) -> &str {
    given.split(' ').find(|word| has_word(word)).unwrap_or_default()
}

/// How many of the words are the surname, where it stands first.
fn surnames_first(all: &[&str], at: &[usize], names: &[String]) -> Option<usize> {
    match names {
        // `Ivanov Ivan Ivanovich`
        [surname, given, last]
            if is_patronymic(last)
                && !is_patronymic(given)
                && (is_slavic_surname(surname) || is_cyrillic(all[at[0]])) =>
        {
            Some(1)
        }
        // `Davies E`, `DAVIES E F`
        [surname, initials @ ..]
            if surname.len() > 2
                && initials.iter().all(|name| name.len() == 1)
                && is_rather_surname(surname, 40.0) =>
        {
            Some(1)
        }
        // `DAVIES Emily`
        [surname, given, ..]
            if is_capital(all[at[0]]) && at[1..].iter().all(|&i| !is_capital(all[i])) =>
        {
            (is_rather_surname(surname, 3.0) && share_ratio(surname) > 20.0 * share_ratio(given))
                .then_some(1)
        }
        _ => None,
    }
}

/// How many times commoner a name is as a surname than as a given name; 1 for what is not listed.
fn share_ratio(name: &str) -> f64 {
    const UNLISTED: f64 = 1e-6;
    let given = lexicon::given_share(name).or_else(|| {
        let formal = lexicon::formal_names(name).iter();
        formal
            .filter_map(|name| lexicon::given_share(name))
            .reduce(f64::max)
            .map(|share| share * 0.1)
    });
    lexicon::surname_share(name).unwrap_or(UNLISTED).max(UNLISTED)
        / given.unwrap_or(UNLISTED).max(UNLISTED)
}

fn is_rather_surname(name: &str, times: f64) -> bool {
    lexicon::surname_share(name).is_some() && share_ratio(name) >= times
}

/// Two capitals at least, and no small letter.
fn is_capital(word: &str) -> bool {
    word.chars().filter(|c| c.is_uppercase()).count() > 1 && !word.chars().any(char::is_lowercase)
}

fn is_cyrillic(word: &str) -> bool {
    word.chars().any(|c| matches!(c, '\u{400}'..='\u{52f}'))
}

/// A Russian, Ukrainian or Belarusian name after the father.
fn is_patronymic(name: &str) -> bool {
    const ENDS: [&str; 11] = [
        "ovich", "evich", "ovych", "evych", "yovych", "ovna", "evna", "ivna", "yivna", "inichna",
        "ichna",
    ];
    name.len() >= 7 && ENDS.iter().any(|end| name.ends_with(end))
}

fn is_slavic_surname(name: &str) -> bool {
    const ENDS: [&str; 16] = [
        "ov", "ova", "ev", "eva", "in", "ina", "yn", "sky", "skiy", "skii", "skyi", "skaya", "ska",
        "enko", "chuk", "yuk",
    ];
    name.len() >= 5 && ENDS.iter().any(|end| name.ends_with(end))
}

/// Where the surname begins: with its particles, with both of a Spanish one's names, with `O'`.
fn surname_start(all: &[&str], at: &[usize], names: &[String]) -> usize {
    let (first, last) = (at[0], at[at.len() - 1]);
    let mut start = last;
    if let [.., one, two] = names
        && names.len() > 2
        && is_spanish(one)
        && is_spanish(two)
        && lexicon::given_share(one).is_none_or(|share| share < 0.0005)
    {
        start = at[at.len() - 2];
    }
    // `Ortega y Gasset`
    if start > first + 2 && all[start - 1] == "y" {
        start -= 2;
    }
    while start > first + 1 && (is_particle(all[start - 1]) || is_irish(all[start - 1], all[start]))
    {
        start -= 1;
    }
    start
}

/// `O Brien`, where `obrien` is the name and `brien` hardly one; `O' Brien` always, as `D' Angelo`.
fn is_irish(before: &str, name: &str) -> bool {
    let letters = letters(name);
    let share = |name: &str| lexicon::surname_share(name).unwrap_or(0.0);
    let elided =
        before.len() > 1 && before.ends_with(['\'', '\u{2019}']) && before.chars().count() == 2;
    elided
        || (before.eq_ignore_ascii_case("o")
            && share(&format!("o{letters}")) > 3.0 * share(&letters))
}

/// Surnames of which Spanish speakers bear two.
const SPANISH: &str = "\
    acosta aguilar aguirre alonso alvarado alvarez andrade aranda arias arroyo avila ayala barrera \
    barrios bautista becerra benitez bermudez blanco bravo bustamante caballero cabrera calderon calvo \
    camacho campos cano cardenas carmona carrasco carrillo castillo castro cervantes chavez contreras \
    cordero cordova cortes cortez cruz delgado diaz diez dominguez duran escobar espinosa espinoza \
    esteban estrada fernandez figueroa flores fuentes gallardo gallego gallegos galvan garcia garrido \
    garza gil gimenez gomez gonzales gonzalez guerra guerrero gutierrez guzman hernandez herrera hidalgo \
    ibanez iglesias jimenez juarez lara leon lopez lozano luna marin marquez martinez medina mejia \
    mendez mendoza miranda molina montes montoya mora morales moreno munoz navarro nunez ochoa ojeda \
    orozco ortega ortiz pacheco padilla palacios paredes parra pascual pena peralta perez ponce prieto \
    quintero ramirez ramos rangel reyes rios rivas rivera robles rodriguez rojas romero rosales rubio \
    ruiz saavedra salazar salinas sanchez sandoval santana santiago santos sanz segura sepulveda serrano \
    silva solis sosa soto suarez tapia torres trejo trujillo valdez valencia valenzuela vargas vasquez \
    vazquez vega velasco velazquez vera vicente vidal villa zamora zuniga";

fn is_spanish(name: &str) -> bool {
    SPANISH.split(' ').any(|known| known == name)
}
