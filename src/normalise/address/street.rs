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
    // Poles and Russians write it or leave it out.
    if let [start, _, ..] = words[..]
        && lead(start) == Some("ulica")
    {
        words.remove(0);
    }
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
    if let [_, .., end] = name {
        written_end(end);
    }
    for word in name.iter_mut() {
        *word = ordinal(word).unwrap_or(word);
    }
    let mut joined = String::with_capacity(folded.len() + 8);
    for (index, word) in words[..last].iter().enumerate() {
        if index > 0 {
            joined.push(' ');
        }
        match compound(word) {
            Some((stem, end)) => joined.extend([stem, end]),
            None => joined.push_str(word),
        }
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

/// A word's letters and digits. Initials with dots are one word (`N.W.`, `U.S.`), and so is what dots shorten in its
/// middle (`V.le`, `P.zza`); an apostrophe before a last `s` parts nothing (`John's`). A saint is `st` everywhere.
fn word_or_initials(word: &str) -> String {
    let initials = word.len() > 3 && word.split('.').all(|piece| piece.chars().count() <= 1);
    let shortened = word.split_once('.').is_some_and(|(first, rest)| {
        let tail = rest.trim_end_matches(',');
        first.chars().count() == 1
            && (2..=4).contains(&tail.len())
            && tail.bytes().all(|b| b.is_ascii_lowercase())
    });
    if initials || shortened {
        return text::code(word);
    }
    let genitive = ['\'', '\u{2019}'].into_iter().find_map(|mark| {
        let (stem, end) = word.trim_end_matches([',', '.']).rsplit_once(mark)?;
        matches!(end, "s" | "S").then(|| format!("{stem}s"))
    });
    let words = text::words(genitive.as_deref().unwrap_or(word));
    let is_saint = |word: &str| matches!(word, "saint" | "sainte");
    if !words.split(' ').any(is_saint) {
        return words;
    }
    let short = |word: &str| match word {
        "saint" => "st".to_owned(),
        "sainte" => "ste".to_owned(),
        other => other.to_owned(),
    };
    words.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// Writes the last word's type out in place.
fn written_end(end: &mut &str) {
    if let Some(written) = kind(end).or_else(|| ending(end)) {
        *end = written;
    }
}

/// A compound with its type in one spelling: `hauptstr` and `kerkstraat` end in `strasse`.
fn compound(word: &str) -> Option<(&str, &'static str)> {
    const SAME: [(&str, &str); 7] = [
        ("straat", "strasse"),
        ("straße", "strasse"),
        ("strasse", "strasse"),
        ("str", "strasse"),
        ("vagen", "vagen"),
        ("vaegen", "vagen"),
        ("gatan", "gatan"),
    ];
    let (stem, end) = SAME.iter().find_map(|(end, one)| Some((word.strip_suffix(end)?, *one)))?;
    (stem.len() > 2).then_some((stem, end))
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
        "ul" | "ulica" | "ulitsa" => "ulica",
        "utca" => "utca",
        "bulvar" | "bulvari" => "bulvar",
        "cad" | "caddesi" => "caddesi",
        "pereulok" => "pereulok",
        "prospect" | "prospekt" => "prospekt",
        "shosse" => "shosse",
        "sok" | "sokagi" | "sokak" => "sokak",
        "walk" => "walk",
        "way" | "wy" => "way",
        "weg" => "weg",
        _ => return None,
    })
}

/// The end of a street's name that is a type in some addresses and a word in others, written out; it parts no street
/// from its city.
fn ending(word: &str) -> Option<&'static str> {
    Some(match word {
        "bch" => "beach",
        "bnd" => "bend",
        "br" | "brg" => "bridge",
        "brk" => "brook",
        "byp" | "bypa" => "bypass",
        "cswy" | "causwa" => "causeway",
        "cmn" => "common",
        "cntr" | "ctr" | "centre" => "center",
        "crk" => "creek",
        "crn" | "cor" => "corner",
        "cts" => "courts",
        "dl" => "dale",
        "esp" | "espl" => "esplanade",
        "est" | "ests" => "estate",
        "ext" => "extension",
        "fld" | "flds" => "fields",
        "gld" | "gln" => "glen",
        "gn" | "grn" => "green",
        "hbr" => "harbor",
        "hl" => "hill",
        "hls" => "hills",
        "hse" => "house",
        "hts" => "heights",
        "jct" => "junction",
        "lk" => "lake",
        "lndg" => "landing",
        "mdw" | "mdws" => "meadows",
        "mnr" => "manor",
        "mt" => "mount",
        "pk" | "prk" => "park",
        "pln" => "plein",
        "prom" => "promenade",
        "pt" => "point",
        "qy" => "quay",
        "rdg" => "ridge",
        "ri" => "rise",
        "rw" => "row",
        "shr" => "shore",
        "spg" | "spgs" => "springs",
        "tr" => "trail",
        "vale" | "vl" => "vale",
        "vlg" | "vill" => "village",
        "vly" => "valley",
        "vw" => "view",
        "wlk" => "walk",
        "yd" => "yard",
        _ => return None,
    })
}

/// A street's type before its name, written out.
pub(super) fn lead(word: &str) -> Option<&'static str> {
    Some(match word {
        "al" | "aleja" | "aleje" => "aleja",
        "alameda" => "alameda",
        "all" | "allee" => "allee",
        "av" | "avda" | "ave" | "avenida" | "avenue" => "avenue",
        "bd" | "blvd" | "boul" | "boulevard" | "bul" | "bulvar" => "boulevard",
        "c" | "calle" | "cl" => "calle",
        "camino" | "cno" => "camino",
        "carrera" | "cra" => "carrera",
        "carretera" | "ctra" => "carretera",
        "ch" | "che" | "chem" | "chemin" => "chemin",
        "corso" | "cso" => "corso",
        "cours" | "crs" => "cours",
        "estrada" | "estr" => "estrada",
        "faubourg" | "fbg" | "fg" => "faubourg",
        "glorieta" | "gta" => "glorieta",
        "imp" | "impasse" => "impasse",
        "hwy" | "highway" => "highway",
        "jalan" | "jl" => "jalan",
        "largo" | "lgo" => "largo",
        "nab" | "naberezhnaya" => "naberezhnaya",
        "os" | "osiedle" => "osiedle",
        "paseo" | "pso" => "paseo",
        "per" | "pereulok" => "pereulok",
        "piazza" | "pzza" => "piazza",
        "piazzale" | "ple" => "piazzale",
        "place" | "pl" => "place",
        "plac" => "plac",
        "plaza" | "pza" => "plaza",
        "pca" | "praca" => "praca",
        "prospekt" => "prospekt",
        "privada" | "priv" => "privada",
        "rda" | "ronda" => "ronda",
        "route" | "rt" | "rte" => "route",
        "rua" => "rua",
        "rue" => "rue",
        "str" | "strada" => "strada",
        "travessa" | "trav" | "tv" => "travessa",
        "travesia" | "trva" => "travesia",
        "ul" | "ulica" | "ulitsa" => "ulica",
        "via" => "via",
        "viale" | "vle" => "viale",
        "vicolo" | "vic" => "vicolo",
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
        "eleventh" => "11",
        "twelfth" => "12",
        _ => {
            let number = ["st", "nd", "rd", "th", "er", "ere", "eme"]
                .iter()
                .find_map(|end| word.strip_suffix(end))?;
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
            ("St. John's Close", "st johns close"),
            ("Saint Johns Close", "st johns close"),
            ("N 5th Street", "north 5 street"),
            ("Old Mill Rd NE", "old mill road northeast"),
            ("C/ San Juan", "calle san juan"),
            ("Avda. de la Constitución", "avenue de la constitucion"),
            ("Bahnhofstr.", "bahnhofstrasse"),
            ("Max-Planck-Str.", "max planck strasse"),
            ("Kerkstraat", "kerkstrasse"),
            ("Kerkstr.", "kerkstrasse"),
            ("Storgatan", "storgatan"),
            ("ul. Marszałkowska", "marszalkowska"),
            ("ulica Marszałkowska", "marszalkowska"),
            ("Marszałkowska", "marszalkowska"),
            ("al. Jerozolimskie", "aleja jerozolimskie"),
            ("V.le Monza", "viale monza"),
            ("P.zza Garibaldi", "piazza garibaldi"),
            ("C.so Italia", "corso italia"),
            ("Pl. de la République", "place de la republique"),
            ("Rue de l'Église", "rue de l eglise"),
            ("Chem. des Dames", "chemin des dames"),
            ("Tv. do Carmo", "travessa do carmo"),
            ("Oak Hts", "oak heights"),
            ("Mill Vw", "mill view"),
            ("ул. Ленина", "lenina"),
            ("Atatürk Cad.", "ataturk caddesi"),
            ("Hauptstraße", "hauptstrasse"),
            ("bd Saint-Michel", "boulevard st michel"),
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
