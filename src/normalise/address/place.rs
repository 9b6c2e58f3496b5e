//! Which words of an address are its postcode, region and country?

use std::ops::Range;

use super::Word;
use super::cut::is_road_word;
use super::street::{direction, kind};
use crate::normalise::postcode::postcode;

/// A postcode among the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Postcode {
    /// Which words.
    pub at: Range<usize>,
    /// As it is compared.
    pub code: String,
}

/// Finds the postcode, from the end.
pub(super) fn find_postcode(words: &[Word<'_>]) -> Option<Postcode> {
    (0..words.len()).rev().find_map(|at| {
        let one = words[at].key.as_str();
        let two = words.get(at + 1).map(|next| next.key.as_str());
        if let Some(second) = two
            && at > 0
            && is_split(one, second)
        {
            let code = if second.len() == 4 { one.to_owned() } else { format!("{one}{second}") };
            return Some(Postcode { at: at..at + 2, code });
        }
        let before = words[..at].last().map_or("", |word| word.key.as_str());
        let whole = !is_numbered(before, one.len())
            && (is_marked(one) || (is_number(one) && number_fits(words, at)));
        whole.then(|| Postcode { at: at..at + 1, code: postcode(one, None) })
    })
}

/// The form of a text: `9` for each digit, `a` for each letter.
fn shape(text: &str) -> String {
    let form = |c: char| match c {
        '0'..='9' => '9',
        'a'..='z' => 'a',
        other => other,
    };
    text.chars().map(form).collect()
}

/// Words whose number is behind them, and is no postcode.
fn is_numbered(key: &str, digits: usize) -> bool {
    let road = matches!(kind(key), Some("highway" | "road" | "loop")) || is_road_word(key);
    (road && digits < 5)
        || matches!(
            key,
            "#" | "apt"
                | "bldg"
                | "box"
                | "building"
                | "dept"
                | "department"
                | "no"
                | "pobox"
                | "rm"
                | "room"
                | "route"
                | "rte"
                | "ste"
                | "suite"
                | "unit"
        )
}

/// Two words that are one postcode: British, Canadian, Dutch, Swedish, and an American one with its
/// `+4`.
fn is_split(first: &str, second: &str) -> bool {
    match shape(second).as_str() {
        "9aa" => is_outward(first),
        "9a9" => shape(first) == "a9a",
        "99" => shape(first) == "999",
        "9999" => shape(first) == "99999",
        "aa" => {
            shape(first) == "9999"
                && !matches!(
                    second,
                    "sa" | "sd" | "ss" | "st" | "rd" | "dr" | "ct" | "ne" | "nw" | "se" | "sw"
                )
        }
        _ => false,
    }
}

fn is_outward(text: &str) -> bool {
    matches!(shape(text).as_str(), "a9" | "a99" | "aa9" | "aa99" | "a9a" | "aa9a")
}

/// A word that can only be a postcode by its form.
fn is_marked(word: &str) -> bool {
    match shape(word).as_str() {
        "99999-9999" | "999-9999" | "99999-999" | "99-999" | "9999-999" | "a9a9a9" | "9999aa" => {
            true
        }
        "a-99999" | "aa-9999" | "a-9999" | "aa-99999" => true,
        other => other.len() >= 5 && other.ends_with("9aa") && is_outward(&word[..word.len() - 3]),
    }
}

fn is_number(word: &str) -> bool {
    matches!(word.len(), 4..=6 | 9) && word.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a bare number at `at` is a postcode rather than a house's: a city or nothing follows it,
/// and if the number stands first, another number is the house's.
fn number_fits(words: &[Word<'_>], at: usize) -> bool {
    let after = &words[at + 1..];
    let city = after.len() <= 4
        && after.iter().all(|w| !w.has_digit() && (!w.is_street_type() || w.key == "st"));
    let city = city && after.first().is_none_or(|w| direction(&w.key).is_none());
    let house = |words: &[Word<'_>]| words.iter().any(Word::is_house);
    let first = at == 0 || words[at].part != words[at - 1].part;
    match words[at].key.len() {
        _ if !city => at == 0 && house(after) && words.get(1).is_some_and(|w| w.part > 0),
        4 => at > 1 && (house(&words[..at]) || first) && (!after.is_empty() || house(&words[..at])),
        _ if at == 0 => false,
        5 | 9 => after.is_empty() || first || house(&words[..at]),
        _ => true,
    }
}

/// A region's code (`ca`, `nsw`) from its name or code among the last words; and how many words it
/// takes.
pub(super) fn find_region(words: &[Word<'_>]) -> Option<(usize, &'static str)> {
    (1..=3).rev().filter(|&count| count <= words.len()).find_map(|count| {
        let name: Vec<&str> = words[words.len() - count..].iter().map(|w| w.key.as_str()).collect();
        region_code(&name.join(" ")).map(|code| (count, code))
    })
}

/// The code of a state or province of the United States, Canada or Australia; `name` as words or as
/// code.
pub(super) fn region_code(name: &str) -> Option<&'static str> {
    let found = REGIONS.iter().find(|(code, full)| *code == name || *full == name);
    found.map(|(code, _)| *code)
}

/// Whether a name is a British county, which is no city.
pub(super) fn is_county(name: &str) -> bool {
    const COUNTIES: [&str; 28] = [
        "avon",
        "bedfordshire",
        "berkshire",
        "cheshire east",
        "cheshire west",
        "cornwall",
        "cumbria",
        "devon",
        "dorset",
        "east sussex",
        "essex",
        "greater london",
        "greater manchester",
        "kent",
        "merseyside",
        "norfolk",
        "rutland",
        "somerset",
        "south glamorgan",
        "south yorkshire",
        "suffolk",
        "surrey",
        "tyne and wear",
        "west midlands",
        "west sussex",
        "west yorkshire",
        "middlesex",
        "north yorkshire",
    ];
    COUNTIES.contains(&name)
        || (name.ends_with("shire") && !name.contains(' '))
        || name.starts_with("co ")
        || name.ends_with(" county")
}

const REGIONS: [(&str, &str); 72] = [
    ("al", "alabama"),
    ("ak", "alaska"),
    ("az", "arizona"),
    ("ar", "arkansas"),
    ("ca", "california"),
    ("co", "colorado"),
    ("ct", "connecticut"),
    ("de", "delaware"),
    ("dc", "district of columbia"),
    ("fl", "florida"),
    ("ga", "georgia"),
    ("hi", "hawaii"),
    ("id", "idaho"),
    ("il", "illinois"),
    ("in", "indiana"),
    ("ia", "iowa"),
    ("ks", "kansas"),
    ("ky", "kentucky"),
    ("la", "louisiana"),
    ("me", "maine"),
    ("md", "maryland"),
    ("ma", "massachusetts"),
    ("mi", "michigan"),
    ("mn", "minnesota"),
    ("ms", "mississippi"),
    ("mo", "missouri"),
    ("mt", "montana"),
    ("ne", "nebraska"),
    ("nv", "nevada"),
    ("nh", "new hampshire"),
    ("nj", "new jersey"),
    ("nm", "new mexico"),
    ("ny", "new york"),
    ("nc", "north carolina"),
    ("nd", "north dakota"),
    ("oh", "ohio"),
    ("ok", "oklahoma"),
    ("or", "oregon"),
    ("pa", "pennsylvania"),
    ("pr", "puerto rico"),
    ("ri", "rhode island"),
    ("sc", "south carolina"),
    ("sd", "south dakota"),
    ("tn", "tennessee"),
    ("tx", "texas"),
    ("ut", "utah"),
    ("vt", "vermont"),
    ("va", "virginia"),
    ("wa", "washington"),
    ("wv", "west virginia"),
    ("wi", "wisconsin"),
    ("wy", "wyoming"),
    ("ab", "alberta"),
    ("bc", "british columbia"),
    ("mb", "manitoba"),
    ("nb", "new brunswick"),
    ("nl", "newfoundland and labrador"),
    ("ns", "nova scotia"),
    ("on", "ontario"),
    ("pe", "prince edward island"),
    ("qc", "quebec"),
    ("sk", "saskatchewan"),
    ("yt", "yukon"),
    ("nt", "northwest territories"),
    ("nu", "nunavut"),
    ("act", "australian capital territory"),
    ("nsw", "new south wales"),
    ("qld", "queensland"),
    ("sa", "south australia"),
    ("tas", "tasmania"),
    ("vic", "victoria"),
    ("gu", "guam"),
];
