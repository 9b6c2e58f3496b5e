//! Where between number, street and city are the cuts?

use std::ops::Range;

use super::Word;
use super::place::is_county;
use super::street::{direction, is_compound, kind, lead};

/// Which words are what; an empty range is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    pub house: Range<usize>,
    pub street: Range<usize>,
    pub city: Range<usize>,
}

impl Cut {
    /// Tells house, street and city apart. `known_place`: a postcode, region or country stood
    /// there, so that a city is to be expected.
    pub(super) fn find(words: &[Word<'_>], known_place: bool) -> Self {
        let parts = parts(words);
        let leads_with_house = |part: &&Range<usize>| {
            let named = &words[(*part).clone()];
            let spelt =
                number(&named[0].key).is_some() && named.iter().skip(2).any(Word::is_street_type);
            named.len() > 1 && (named[0].is_house() || spelt)
        };
        if let Some(part) = parts.iter().find(leads_with_house) {
            return Self::named(
                words,
                part.start + 1..part.end,
                part.start..part.start + 1,
                &parts,
                known_place,
            );
        }
        let house = parts.iter().find_map(|part| {
            let at = part.clone().skip(1).find(|&at| words[at].is_house())?;
            Some((part, at))
        });
        if let Some((part, at)) = house {
            return Self::around(words, part, at, &parts, known_place);
        }
        let is_street = |part: &&Range<usize>| {
            let words = &words[(*part).clone()];
            words.len() > 1
                && (lead(&words[0].key).is_some()
                    || words[1..].iter().any(Word::is_street_type)
                    || is_compound(&words[0].key))
                || words.iter().any(|word| is_compound(&word.key))
        };
        if let Some(part) = parts.iter().find(is_street) {
            return Self::named(words, part.clone(), 0..0, &parts, known_place);
        }
        match parts.as_slice() {
            [] => Self::default(),
            [only] if known_place => Self { city: only.clone(), ..Self::default() },
            [only] => Self { street: only.clone(), ..Self::default() },
            [first, rest @ ..] => {
                Self { street: first.clone(), city: city_of(words, rest), ..Self::default() }
            }
        }
    }

    /// Beside a post box, words and numbers are a street only if they look like one.
    pub(super) fn keep_sure_street(&mut self, words: &[Word<'_>]) {
        let typed = words[self.street.clone()].iter().skip(1).any(Word::is_street_type);
        if self.house.is_empty() || !typed {
            (self.house, self.street) = (0..0, 0..0);
        }
    }

    /// A street part with its number inside or behind.
    fn around(
        words: &[Word<'_>],
        part: &Range<usize>,
        at: usize,
        parts: &[Range<usize>],
        known_place: bool,
    ) -> Self {
        let (before, after) = (part.start..at, at + 1..part.end);
        let later = parts.iter().any(|other| other.start >= part.end);
        if words[before.clone()].iter().all(|word| is_road_word(&word.key)) {
            // `US Highway 22`: the number is the road's own.
            return Self::named(words, part.clone(), 0..0, parts, known_place);
        }
        let named_before = lead(&words[before.start].key).is_some()
            || words[before.clone()].iter().any(Word::is_street_type);
        let named_after = words[after.clone()].iter().any(Word::is_street_type);
        if after.is_empty() || named_before || (!named_after && after.len() <= 2 && !later) {
            let city = match (after.is_empty(), later) {
                (false, false) => after,
                _ => city_of(words, &behind(parts, part.end)),
            };
            return Self { house: at..at + 1, street: before, city };
        }
        Self::named(words, after, at..at + 1, parts, known_place)
    }

    /// A street part without its number: the street's name, and the city if no comma tells it
    /// apart.
    fn named(
        words: &[Word<'_>],
        name: Range<usize>,
        house: Range<usize>,
        parts: &[Range<usize>],
        known_place: bool,
    ) -> Self {
        let later = behind(parts, name.end);
        let (mut house, mut name) = (house, name);
        if !house.is_empty() && more_of_house(&words[name.clone()]) {
            (house.end, name.start) = (name.start + 1, name.start + 1);
        }
        if !house.is_empty() && ends_with_unit(&words[name.clone()]) {
            name.end -= 1;
        }
        if !later.is_empty() {
            return Self { house, street: name, city: city_of(words, &later) };
        }
        let end = street_end(&words[name.clone()], known_place)
            .map_or(name.end, |count| name.start + count);
        Self { house, street: name.start..end, city: end..name.end }
    }
}

/// Whether a name begins with the house's letter or half: `12 B Jefferson Ave`, `12 1/2 Main St`.
fn more_of_house(name: &[Word<'_>]) -> bool {
    let [first, second, _, ..] = name else { return false };
    let letter =
        first.key.len() == 1 && direction(&first.key).is_none() && kind(&second.key).is_none();
    (letter && !first.has_digit() && second.key.len() > 1) || first.key == "1/2"
}

/// Whether a name ends with a number that is a unit's: `1020 West Bryn Mawr 211`.
fn ends_with_unit(name: &[Word<'_>]) -> bool {
    let [_, .., before, last] = name else { return false };
    last.is_house()
        && !is_road_word(&before.key)
        && kind(&before.key).is_none()
        && lead(&before.key).is_none()
}

fn behind(parts: &[Range<usize>], at: usize) -> Vec<Range<usize>> {
    parts.iter().filter(|part| part.start >= at).cloned().collect()
}

/// The last part is the city, unless it is a county behind one.
fn city_of(words: &[Word<'_>], parts: &[Range<usize>]) -> Range<usize> {
    let name = |part: &Range<usize>| {
        words[part.clone()].iter().map(|word| word.key.as_str()).collect::<Vec<_>>().join(" ")
    };
    match parts {
        [] => 0..0,
        [.., city, county] if is_county(&name(county)) => city.clone(),
        [.., city] => city.clone(),
    }
}

fn parts(words: &[Word<'_>]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = vec![];
    for at in 0..words.len() {
        match parts.last_mut() {
            Some(part) if words[part.start].part == words[at].part => part.end = at + 1,
            _ => parts.push(at..at + 1),
        }
    }
    parts
}

/// The digits of a small number in words: `One Busch Place`.
pub(super) fn number(word: &str) -> Option<&'static str> {
    const WORDS: [&str; 12] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    const DIGITS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
    WORDS.iter().position(|known| *known == word).map(|at| DIGITS[at])
}

/// Words that with a number make a road's name.
pub(super) fn is_road_word(key: &str) -> bool {
    matches!(
        key,
        "business"
            | "county"
            | "country"
            | "cr"
            | "fm"
            | "highway"
            | "hwy"
            | "hghwy"
            | "i"
            | "interstate"
            | "loop"
            | "old"
            | "rd"
            | "road"
            | "route"
            | "rt"
            | "rte"
            | "rural"
            | "sr"
            | "state"
            | "us"
    ) || direction(key).is_some()
}

/// How many words are the street's, where the city may follow without a comma; None for all.
fn street_end(words: &[Word<'_>], known_place: bool) -> Option<usize> {
    if let Some(end) = typed_end(words) {
        return Some(end);
    }
    let only = words.len() < 2 || (words.len() == 2 && direction(&words[0].key).is_some());
    if !known_place || only || lead(&words[0].key).is_some() {
        return None;
    }
    let named = usize::from(direction(&words[0].key).is_some() && words.len() > 2);
    Some((words.len() - city_words(&words[named + 1..])).max(1))
}

/// The end of the street by its type, with what belongs behind a type.
fn typed_end(words: &[Word<'_>]) -> Option<usize> {
    let is_id = |word: &Word<'_>| {
        word.has_digit() || (word.key.len() == 1 && direction(&word.key).is_none())
    };
    let numbered = |at: usize| {
        matches!(kind(&words[at].key), Some("highway" | "road" | "avenue" | "expressway" | "loop"))
            || is_road_word(&words[at].key) && direction(&words[at].key).is_none()
            || matches!(lead(&words[at].key), Some("route"))
    };
    let base = usize::from(direction(&words.first()?.key).is_some());
    // `St. Louis`, `Royal St. Georges Lane`: a saint, not a street.
    let is_saint = |at: usize| {
        words[at].key == "st"
            && words[at + 1..].iter().take(2).any(|word| kind(&word.key).is_some())
    };
    let at = (0..words.len()).find(|&at| {
        let id_behind = words.get(at + 1).is_some_and(is_id);
        (at > base && kind(&words[at].key).is_some() && !is_saint(at))
            || (at > 0 && is_compound(&words[at].key))
            || (at == 0 && is_compound(&words[at].key))
            || (numbered(at) && id_behind)
    })?;
    let mut end = at + 1;
    if numbered(at) && words.get(end).is_some_and(is_id) {
        end += 1;
    }
    while words.get(end).is_some_and(|word| kind(&word.key).is_some() && word.key != "st") {
        end += 1;
    }
    // `Main St N Rock Hill` and `5th Street South Edmonds`, but `Main St South Bend`.
    let numbered_name = words[..at].iter().any(Word::has_digit);
    let belongs = |word: &Word<'_>| {
        let sure = word.key.len() <= 2 || word.key.len() > 5 || end + 1 == words.len();
        direction(&word.key).is_some() && (sure || numbered_name)
    };
    Some(end + usize::from(words.get(end).is_some_and(belongs)))
}

/// How many of the last words look like a city's.
fn city_words(words: &[Word<'_>]) -> usize {
    const FIRST: [&str; 40] = [
        "baton", "boca", "cape", "cedar", "coral", "corpus", "des", "east", "el", "fort", "ft",
        "grand", "green", "key", "la", "lake", "las", "little", "long", "los", "mc", "mount", "mt",
        "new", "north", "oak", "palm", "port", "pt", "rock", "saint", "salt", "san", "santa",
        "south", "st", "upper", "west", "white", "winter",
    ];
    const LAST: [&str; 24] = [
        "beach", "bluff", "branch", "city", "creek", "falls", "forest", "grove", "heights", "hill",
        "hills", "island", "junction", "lake", "park", "pines", "point", "pt", "rapids", "ridge",
        "rouge", "springs", "valley", "village",
    ];
    match words {
        [] => 0,
        [.., salt, lake, city]
            if (&*salt.key, &*lake.key, &*city.key) == ("salt", "lake", "city") =>
        {
            3
        }
        [.., first, last]
            if FIRST.contains(&first.key.as_str()) || LAST.contains(&last.key.as_str()) =>
        {
            2
        }
        _ => 1,
    }
}
