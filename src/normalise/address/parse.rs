//! One text in, its words without country, postcode, region, post box and units out: what is left
//! to tell apart?
//!
//! Each cut closes the comma part it was made in: what stands behind a postcode or a unit is not
//! the street.

use crate::normalise::country;
use crate::normalise::text::{Lines, clean, code, latin};

use super::cut::Cut;
use super::street::{direction, kind, ordinal, street};
use super::{Location, Word, city, house, place};

/// Takes a whole address apart.
pub fn location(text: &str) -> Location {
    let text = clean(text, Lines::Part).text;
    let mut words = split(&text);
    let mut found = Location::default();
    let mut tail = text.len();
    cut_country(&mut words, &mut found, &mut tail);
    cut_postcode(&mut words, &mut found, &mut tail);
    cut_country(&mut words, &mut found, &mut tail);
    cut_region(&mut words, &mut found, &mut tail);
    cut_care_of(&mut words);
    let post_box = cut_box(&mut words);
    cut_units(&mut words);
    attach_lone_houses(&mut words);
    let known = !found.region.is_empty() || !found.postcode.is_empty() || found.country.is_some();
    let mut cut = Cut::find(&words, known || post_box.is_some());
    if post_box.is_some() {
        cut.keep_sure_street(&words);
    }
    found.house = house(&written(&words[cut.house.clone()]));
    found.street = street(&written(&words[cut.street.clone()]));
    if found.street.is_empty()
        && let Some(number) = post_box
    {
        found.street = format!("po box {number}");
    }
    let raw_city = written(&words[cut.city.clone()]);
    found.city = city(&raw_city);
    if let Some(first) = words.get(cut.city.start).filter(|_| !cut.city.is_empty()) {
        tail = tail.min(first.at);
    }
    found.shown.city = (!raw_city.is_empty()).then_some(raw_city);
    // What a place stands behind is the line; where it stands before, only the street is.
    let street_end = words[..cut.street.end].last().map_or(0, |word| word.at);
    let line = text[..tail].trim_end_matches([' ', ',', ';', '-']);
    let line = if street_end < tail { line.to_owned() } else { written(&words[cut.street]) };
    found.shown.line = (!line.is_empty()).then_some(line);
    found
}

/// House and street of a line that holds no more than them and a unit.
pub(super) fn line(text: &str) -> (String, String) {
    let text = clean(text, Lines::Part).text;
    let mut words = split(&text);
    cut_care_of(&mut words);
    let post_box = cut_box(&mut words);
    cut_units(&mut words);
    attach_lone_houses(&mut words);
    let mut cut = Cut::find(&words, false);
    if post_box.is_some() {
        cut.keep_sure_street(&words);
    }
    let number = house(&written(&words[cut.house.clone()]));
    // No city is expected here: what was taken for one in the street's own part is the street's.
    let city_part = words.get(cut.city.start).map(|word| word.part);
    let street_part = words.get(cut.street.start).map(|word| word.part);
    let own = city_part == street_part
        && cut.city.start >= cut.street.end
        && cut.house.start <= cut.street.start;
    let end = if own { cut.city.end.max(cut.street.end) } else { cut.street.end };
    let mut name = street(&written(&words[cut.street.start..end]));
    if name.is_empty() {
        name = post_box.map(|number| format!("po box {number}")).unwrap_or_default();
    }
    (number, name)
}

/// Cuts a text into words and comma parts.
fn split(text: &str) -> Vec<Word<'_>> {
    let mut words = vec![];
    let mut part = 0;
    let mut at = 0;
    for piece in text.split_inclusive([' ', ',', ';']) {
        let raw = piece.trim_end_matches([' ', ',', ';']);
        let key = key(raw);
        if !key.is_empty() {
            words.push(Word { raw, key, part, at });
        }
        at += piece.len();
        part += usize::from(piece.ends_with([',', ';']));
    }
    words
}

fn key(raw: &str) -> String {
    let folded = latin(raw);
    let number = folded.starts_with('#');
    let inner = folded.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut key = String::with_capacity(inner.len() + 1);
    if number {
        key.push('#');
    }
    key.extend(inner.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | ' ')));
    key
}

fn written(words: &[Word<'_>]) -> String {
    words.iter().map(|word| word.raw).collect::<Vec<_>>().join(" ")
}

fn joined(words: &[Word<'_>]) -> String {
    words.iter().map(|word| word.key.as_str()).collect::<Vec<_>>().join(" ")
}

/// Takes words out and closes their part.
fn remove(words: &mut Vec<Word<'_>>, at: std::ops::Range<usize>) {
    let start = at.start;
    words.drain(at);
    words[start..].iter_mut().for_each(|word| word.part += 1);
}

/// Whether a word opens its comma part.
fn opens(words: &[Word<'_>], at: usize) -> bool {
    at == 0 || words[at - 1].part != words[at].part
}

fn cut_country(words: &mut Vec<Word<'_>>, found: &mut Location, tail: &mut usize) {
    for count in (1..=4.min(words.len().saturating_sub(1))).rev() {
        let start = words.len() - count;
        let name = joined(&words[start..]);
        let country = match name.len() {
            2 => country::code(&name)
                .filter(|_| place::region_code(&name).is_none() && direction(&name).is_none()),
            _ => country::by_name(&name),
        };
        // `new mexico`, `playa del mar`: a short name must stand alone between commas.
        let is_state = words[start - 1].key == "new" && count == 1;
        let stands =
            name.len() > 3 || matches!(name.as_str(), "uk" | "us" | "usa") || opens(words, start);
        if let Some(country) = country.filter(|_| !is_state && stands) {
            *tail = (*tail).min(words[start].at);
            words.truncate(start);
            found.country = found.country.or(Some(country));
            found.shown.country = found.country.map(str::to_owned);
            return;
        }
    }
}

fn cut_postcode(words: &mut Vec<Word<'_>>, found: &mut Location, tail: &mut usize) {
    if let Some(postcode) = place::find_postcode(words) {
        *tail = (*tail).min(words[postcode.at.start].at);
        let shown = written(&words[postcode.at.clone()]).to_uppercase();
        found.shown.postcode = Some(shown.trim_matches(|c: char| !c.is_alphanumeric()).to_owned());
        found.postcode = postcode.code;
        remove(words, postcode.at);
    }
}

fn cut_region(words: &mut Vec<Word<'_>>, found: &mut Location, tail: &mut usize) {
    let Some((count, region)) = place::find_region(words) else { return };
    let start = words.len() - count;
    let before = &words[..start];
    let alone = opens(words, start);
    let postcode_behind = !found.postcode.is_empty() && words[start].at < *tail + 1;
    let street_before = before.iter().skip(1).any(|word| kind(&word.key).is_some());
    let last = &words[start].key;
    let lone_direction =
        direction(last).is_some() && (start == 0 || kind(&words[start - 1].key).is_some());
    let floor = last == "fl" && before.last().is_some_and(|word| ordinal(&word.key).is_some());
    let no_number = !before.iter().any(Word::has_digit) && last.len() <= 3;
    let street_before =
        street_before && before.last().is_some_and(|word| kind(&word.key).is_none());
    let long = before.len() >= 4
        && kind(last).is_none()
        && !matches!(&**last, "al" | "de" | "in" | "la" | "me" | "on");
    let fits = postcode_behind
        || (!lone_direction
            && !floor
            && (alone || street_before || long || (no_number && kind(last).is_none())));
    if !fits || (before.is_empty() && found.postcode.is_empty() && found.country.is_none()) {
        return;
    }
    *tail = (*tail).min(words[start].at);
    found.shown.region = Some(written(&words[start..]));
    found.region = region.to_owned();
    words.truncate(start);
}

/// Cuts a post box; gives its number.
fn cut_box(words: &mut Vec<Word<'_>>) -> Option<String> {
    let at = words.iter().position(|word| is_box(&word.key))?;
    let sign = |word: &Word<'_>| matches!(word.key.as_str(), "#" | "no" | "nr" | "number");
    let skip = usize::from(words.get(at + 1).is_some_and(sign));
    let number = words.get(at + 1 + skip).filter(|word| word.has_digit())?;
    let marked = skip > 0 || number.key.starts_with('#') || words[at].key != "box";
    let number = code(&number.key);
    let start = box_start(&words[..at]);
    if start == at && at > 0 && !marked {
        return None;
    }
    remove(words, start..at + 2 + skip);
    Some(number)
}

fn is_box(key: &str) -> bool {
    matches!(key, "apartado" | "apdo" | "bp" | "box" | "casilla" | "pobox" | "postbus" | "postfach")
}

/// Where a post box begins whose `Box` stands behind `before`: `PO`, `Post Office`, `Lock`, `RR 1`, `Star Rte 102`.
fn box_start(before: &[Word<'_>]) -> usize {
    let is_route = |key: &str| matches!(key, "hc" | "hcr" | "route" | "rr" | "rt" | "rte");
    let is_prefix = |key: &str| {
        is_route(key)
            || matches!(key, "lock" | "o" | "office" | "p" | "po" | "post" | "rural" | "star")
    };
    let mut start = before.len();
    if let [.., route, number] = before
        && is_route(&route.key)
        && number.has_digit()
    {
        start -= 2;
    }
    while start > 0 && is_prefix(&before[start - 1].key) {
        start -= 1;
    }
    start
}

/// Cuts who takes the post in: `c/o Smith`, to the end of its comma part.
fn cut_care_of(words: &mut Vec<Word<'_>>) {
    let names = |at: &usize| matches!(words[*at].key.as_str(), "attn" | "c/o") && opens(words, *at);
    let Some(at) = (0..words.len()).find(names) else { return };
    let end = words[at..]
        .iter()
        .position(|word| word.part != words[at].part)
        .map_or(words.len(), |count| at + count);
    // What a house number opens is the address itself.
    let end = words[at..end].iter().position(Word::is_house).map_or(end, |count| at + count);
    remove(words, at..end);
}

/// Cuts flats, floors and suites.
fn cut_units(words: &mut Vec<Word<'_>>) {
    let mut at = 0;
    while at < words.len() {
        match unit(words, at) {
            0 => at += 1,
            count => remove(words, at..at + count),
        }
    }
}

/// How many words from `at` on name a unit.
fn unit(words: &[Word<'_>], at: usize) -> usize {
    let key = words[at].key.as_str();
    let is_number = |word: &Word<'_>| word.has_digit() || word.key.len() == 1;
    let next = words.get(at + 1).filter(|word| word.part == words[at].part);
    let floor = |word: &Word<'_>| matches!(word.key.as_str(), "fl" | "flr" | "floor" | "level");
    let is_ordinal = ordinal(key).is_some()
        || matches!(key, "lower" | "upper" | "ground" | "top")
        || (key.starts_with(|c: char| c.is_ascii_digit()) && key.ends_with(['d', 'h', 't']));
    match key {
        "#" => 1 + usize::from(next.is_some_and(is_number)),
        _ if key.starts_with('#') => usize::from(at > 0),
        "apartment" | "apt" | "apto" | "bldg" | "building" | "dept" | "flat" | "rm" | "room"
        | "ste" | "suite" | "trlr" | "unit" | "wohnung" | "whg" => {
            match next.map(|word| word.key.as_str()) {
                Some("no" | "number" | "#") if words.get(at + 2).is_some_and(is_number) => 3,
                Some(_) if next.is_some_and(is_number) => 2,
                Some(number) if number.starts_with('#') => 2,
                _ => 0,
            }
        }
        "ap" | "app" | "appt" | "bloque" | "blq" | "bus" | "et" | "etage" | "fl" | "floor"
        | "kv" | "level" | "lgh" | "lok" | "lokal" | "lot" | "lvl" | "ph" | "piso" | "planta"
        | "pta" | "puerta" | "sala" | "sc" | "scala" | "space" | "spc" | "stiege" | "top"
            if at > 0 && next.is_some_and(Word::has_digit) =>
        {
            2
        }
        "basement" | "bsmt" | "rear" if at > 0 => 1,
        _ if at > 0 && is_glued_unit(key) => 1,
        _ if at > 0
            && words[at].has_digit()
            && !words[at].is_house()
            && key.len() <= 5
            && is_alone(words, at) =>
        {
            1
        }
        _ if is_ordinal && next.is_some_and(floor) => 2,
        _ if at > 1 && words[at].is_house() && ends_street(words, at - 1) => 1,
        _ => 0,
    }
}

/// `suite100`, `apt4b`.
fn is_glued_unit(key: &str) -> bool {
    let rest = ["apt", "suite", "ste", "unit"].iter().find_map(|word| key.strip_prefix(word));
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_alone(words: &[Word<'_>], at: usize) -> bool {
    opens(words, at) && (at + 1 == words.len() || opens(words, at + 1))
}

/// Whether a street that began with its house ends at `at`, so that a number behind it is a unit's.
fn ends_street(words: &[Word<'_>], at: usize) -> bool {
    let numbered = ["highway", "road", "avenue", "expressway", "loop"];
    kind(&words[at].key).is_some_and(|kind| !numbered.contains(&kind))
        && words[at].part == words[at + 1].part
        && words[..at].iter().any(Word::is_house)
}

/// A number alone between commas belongs to the street before it, or, if it stands first, behind
/// it.
fn attach_lone_houses(words: &mut Vec<Word<'_>>) {
    // So does a direction: `1800 M St., NW`.
    for at in 1..words.len() {
        let behind_street =
            words[at].key.len() <= 2 && kind(&words[at - 1].key).is_some() && opens(words, at);
        if direction(&words[at].key).is_some() && (is_alone(words, at) || behind_street) {
            words[at].part = words[at - 1].part;
        }
    }
    let lone = |words: &[Word<'_>], at: usize| words[at].is_house() && is_alone(words, at);
    let mut at = 0;
    while at < words.len() {
        if !lone(words, at) || words.len() == 1 {
            at += 1;
        } else if at == 0 {
            words[0].part = words[1].part;
            at += 1;
        } else if words[..at].iter().any(Word::is_house) {
            remove(words, at..at + 1);
        } else {
            words[at].part = words[at - 1].part;
            at += 1;
        }
    }
}
