//! What is a street's one spelling?
//!
//! Types (`St`, `Ave`, `C/`, `str.`) and directions are written out where they stand as such:
//! first, last, or before a last direction. Elsewhere `st` may be a saint and `e` a letter, and
//! stays.

use crate::normalise::text;

/// A street as it is compared: words of `a`–`z` and `0`–`9`, types and directions written out.
/// Empty for no street.
pub fn street(raw: &str) -> String {
    let folded = spelt(raw);
    let mut words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let mut last = words.len();
    if let [_, _, .., end] = words[..]
        && let Some(direction) = direction(end)
    {
        words[last - 1] = direction;
        last -= 1;
    }
    let mut first = 0;
    if let [start, next, ..] = words[..last]
        && let Some(direction) = direction(start)
        && (last > 2 || kind(next).is_none() || start.len() > 1)
    {
        words[0] = direction;
        first = 1;
    }
    let name = &mut words[first..last];
    if let [start, _, ..] = name
        && let Some(written) = lead(start).filter(|_| start.len() > 1)
    {
        *start = written;
    }
    let glued = if let [_, .., end] = name {
        written_end(end)
    } else {
        name.last_mut().and_then(|w| glued(w))
    };
    for word in name.iter_mut() {
        *word = ordinal(word).unwrap_or(word);
    }
    let mut joined = words[..last].join(" ");
    if let Some(written) = glued {
        joined.push_str(written);
    }
    for word in &words[last..] {
        joined.push(' ');
        joined.push_str(word);
    }
    joined
}

/// The street's words as they stand there, but for `C/`, which only its stroke tells from an
/// initial.
fn spelt(raw: &str) -> String {
    let raw = raw.trim_start();
    let calle =
        raw.strip_prefix(['c', 'C']).and_then(|rest| rest.strip_prefix('/')).map(str::trim_start);
    // `c/o` and `c/-` name who takes the post.
    let calle = calle.filter(|rest| {
        let mut chars = rest.chars();
        let care_of = chars.next().is_some_and(|c| matches!(c, 'o' | 'O'))
            && !chars.next().is_some_and(char::is_alphabetic);
        rest.starts_with(char::is_alphabetic) && !care_of
    });
    let mut spelt = String::with_capacity(raw.len() + 6);
    if calle.is_some() {
        spelt.push_str("calle");
    }
    for word in calle.unwrap_or(raw).split_whitespace() {
        spelt.push(' ');
        spelt.push_str(&word_or_initials(word));
    }
    spelt
}

/// A word's letters and digits; initials with dots are one word (`N.W.`, `U.S.`).
fn word_or_initials(word: &str) -> String {
    let initials = word.len() > 3 && word.split('.').all(|piece| piece.chars().count() <= 1);
    if initials { text::code(word) } else { text::words(word) }
}

/// Writes the last word's type out in place; gives what is missing of a glued one.
fn written_end(end: &mut &str) -> Option<&'static str> {
    match kind(end) {
        Some(written) => {
            *end = written;
            None
        }
        None => glued(end),
    }
}

/// `hauptstr` lacks `asse`.
fn glued(word: &str) -> Option<&'static str> {
    (word.len() > 5 && word.ends_with("str")).then_some("asse")
}

/// A street's type at its end, written out.
pub(super) fn kind(word: &str) -> Option<&'static str> {
    Some(match word {
        "allee" => "allee",
        "aly" | "alley" => "alley",
        "av" | "avda" | "ave" | "aven" | "avenida" | "avenue" | "avn" | "avnue" => "avenue",
        "bd" | "blv" | "blvd" | "boul" | "boulevard" | "bvd" | "bkvd" => "boulevard",
        "cct" | "circuit" => "circuit",
        "cir" | "circ" | "circle" | "crcl" => "circle",
        "cl" | "close" => "close",
        "court" | "crt" | "ct" => "court",
        "cove" | "cv" => "cove",
        "cr" | "cres" | "cresc" | "crescent" => "crescent",
        "crossing" | "xing" => "crossing",
        "dr" | "drive" | "driveway" | "drv" => "drive",
        "expressway" | "expwy" | "expy" => "expressway",
        "freeway" | "frwy" | "fwy" => "freeway",
        "gardens" | "gdns" => "gardens",
        "gasse" => "gasse",
        "grove" | "grv" => "grove",
        "highway" | "highwy" | "hiway" | "hway" | "hwy" | "hghwy" => "highway",
        "lane" | "ln" => "lane",
        "loop" => "loop",
        "mews" => "mews",
        "motorway" | "mwy" => "motorway",
        "parade" | "pde" => "parade",
        "pakway" | "parkway" | "pkway" | "pkwy" | "pky" => "parkway",
        "path" => "path",
        "pike" => "pike",
        "pl" | "place" => "place",
        "platz" => "platz",
        "plaza" | "plz" | "plza" => "plaza",
        "rd" | "road" => "road",
        "row" => "row",
        "sq" | "sqr" | "square" => "square",
        "st" | "street" | "streets" | "strt" | "sts" => "street",
        "str" | "strasse" => "strasse",
        "tce" | "ter" | "terr" | "terrace" => "terrace",
        "tpke" | "turnpike" => "turnpike",
        "trail" | "trl" => "trail",
        "ul" | "ulica" => "ulica",
        "utca" => "utca",
        "walk" => "walk",
        "way" | "wy" => "way",
        "weg" => "weg",
        _ => return None,
    })
}

/// A street's type before its name, written out.
pub(super) fn lead(word: &str) -> Option<&'static str> {
    Some(match word {
        "av" | "avda" | "ave" | "avenida" | "avenue" => "avenue",
        "bd" | "blvd" | "boul" | "boulevard" => "boulevard",
        "c" | "calle" | "cl" => "calle",
        "camino" => "camino",
        "carrera" | "cra" => "carrera",
        "carretera" | "ctra" => "carretera",
        "ch" | "chemin" => "chemin",
        "imp" | "impasse" => "impasse",
        "hwy" | "highway" => "highway",
        "jalan" | "jl" => "jalan",
        "paseo" | "pso" => "paseo",
        "place" => "place",
        "plaza" | "pza" => "plaza",
        "privada" | "priv" => "privada",
        "route" | "rt" | "rte" => "route",
        "rua" => "rua",
        "rue" => "rue",
        "str" | "strada" => "strada",
        "ul" | "ulitsa" => "ulica",
        "via" => "via",
        "viale" => "viale",
        "vul" | "vulitsa" | "vulytsia" => "vulitsa",
        _ => return None,
    })
}

/// A direction, written out.
pub(super) fn direction(word: &str) -> Option<&'static str> {
    Some(match word {
        "e" | "east" => "east",
        "n" | "north" => "north",
        "ne" | "northeast" => "northeast",
        "northwest" | "nw" => "northwest",
        "s" | "south" => "south",
        "se" | "southeast" => "southeast",
        "southwest" | "sw" => "southwest",
        "w" | "west" => "west",
        _ => return None,
    })
}

/// An ordinal's number: `5` of `fifth` and `5th`.
pub(super) fn ordinal(word: &str) -> Option<&str> {
    Some(match word {
        "first" => "1",
        "second" => "2",
        "third" => "3",
        "fourth" => "4",
        "fifth" => "5",
        "sixth" => "6",
        "seventh" => "7",
        "eighth" => "8",
        "ninth" => "9",
        "tenth" => "10",
        _ => {
            let number = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end))?;
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            return is_number.then_some(number);
        }
    })
}

/// Whether a word ends in a Germanic street type (`triftstrasse`, `storgatan`).
pub(super) fn is_compound(word: &str) -> bool {
    const ENDS: [&str; 17] = [
        "allee", "damm", "gade", "gasse", "gata", "gatan", "katu", "laan", "plein", "platz",
        "straat", "strasse", "str", "ufer", "vagen", "vej", "weg",
    ];
    ENDS.iter().any(|end| word.len() > end.len() + 2 && word.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_are_written_out() {
        for (raw, want) in [
            ("Main St", "main street"),
            ("MAIN ST.", "main street"),
            ("St. John's Close", "st john s close"),
            ("N 5th Street", "north 5 street"),
            ("Old Mill Rd NE", "old mill road northeast"),
            ("C/ San Juan", "calle san juan"),
            ("Avda. de la Constitución", "avenue de la constitucion"),
            ("Bahnhofstr.", "bahnhofstrasse"),
            ("Hauptstraße", "hauptstrasse"),
            ("bd Saint-Michel", "boulevard saint michel"),
            ("Broadway", "broadway"),
            ("E St", "e street"),
            ("Avenue H", "avenue h"),
            ("Fifth Ave", "5 avenue"),
            ("hattersleycourt", "hattersleycourt"),
            ("", ""),
        ] {
            assert_eq!(street(raw), want, "{raw}");
            assert_eq!(street(want), want, "again: {raw}");
        }
    }

    #[test]
    fn expansions_agree() {
        let rows = crate::normalise::vectors("address_expansions.csv");
        // Deliberately different: numbers in words, units and split compounds are no street's
        // spelling, which is most of this list; what is judged is that both spellings share the
        // street's words.
        let agree = |row: &&csv::StringRecord| {
            let (left, right) = (street(&row[1]), street(&row[2]));
            right.split(' ').all(|word| left.split(' ').any(|other| other == word))
        };
        let right = rows.iter().filter(agree).count();
        assert!(right >= 45, "{right} of {}", rows.len());
    }
}
