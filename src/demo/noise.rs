//! How does a value get damaged or varied on its way in?
//!
//! Errors (typos, mishearing, look-alikes, swapped parts) are scaled by the level of noise; variety
//! of format (case, accents, ways to write a phone number or a date) is not, because clean data has
//! it too.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use chrono::{Datelike, NaiveDate};

use super::lists::{LISTS, Name};
use super::rng::Rng;

/// The slips of one stream.
pub(super) struct Noise {
    pub(super) rng: Rng,
    level: f64,
}

impl Noise {
    pub(super) fn new(rng: Rng, level: f64) -> Self {
        Self { rng, level }
    }

    /// Whether an error of this rate happens.
    pub(super) fn slips(&mut self, rate: f64) -> bool {
        self.rng.chance(rate * self.level)
    }

    /// `value`, or at this rate one of the placeholders.
    pub(super) fn or_placeholder(&mut self, rate: f64, list: &[String], value: String) -> String {
        if self.slips(rate) { self.rng.pick(list).clone() } else { value }
    }

    /// One slip: a neighbouring key, a lost, swapped or doubled letter, a look-alike.
    pub(super) fn typo(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        if letters.len() < 3 {
            return text.to_owned();
        }
        let at = self.rng.below(letters.len());
        let letter = letters[at];
        let draw = self.rng.unit();
        if draw < 0.35 {
            letters[at] = *self.rng.pick(&neighbours(letter));
        } else if draw < 0.55 {
            letters.remove(at);
        } else if draw < 0.75 && at + 1 < letters.len() {
            letters.swap(at, at + 1);
        } else if draw < 0.87 {
            letters.insert(at, letter);
        } else if let Some(seen) = LISTS.look_alikes.get(&lower(letter)) {
            letters.splice(at..=at, seen.chars());
        }
        letters.into_iter().collect()
    }

    /// A name as it is heard on the phone.
    pub(super) fn misheard(&mut self, text: &str) -> String {
        let low = text.to_lowercase();
        for _ in 0..3 {
            let (said, heard) = self.rng.pick(&LISTS.sound_alikes);
            // A letter whose two cases differ in length would shift the place; no such name is
            // misheard.
            let place = low.find(said).filter(|_| low.len() == text.len());
            if let Some((before, rest)) = place.and_then(|at| text.split_at_checked(at)) {
                let after = rest.get(said.len()..).unwrap_or_default();
                let changed = format!("{before}{heard}{after}");
                return if before.is_empty() { capitalised(&changed) } else { changed };
            }
        }
        self.typo(text)
    }

    /// A keyed-in text: typos, case, accents, encoding, spaces.
    pub(super) fn text(&mut self, text: &str, typo_rate: f64) -> String {
        let mut text = text.to_owned();
        if self.slips(typo_rate) {
            text = self.typo(&text);
        }
        let draw = self.rng.unit();
        if draw < 0.06 {
            text = text.to_uppercase();
        } else if draw < 0.14 {
            text = text.to_lowercase();
        }
        if !text.is_ascii() {
            text = self.accents(text);
        }
        if self.slips(0.02) {
            text = match self.rng.below(4) {
                0 => format!(" {text}"),
                1 => format!("{text} "),
                2 => text.replace(' ', "  "),
                _ => format!("{text}\u{a0}"),
            };
        }
        text
    }

    /// Accents dropped, spelled out, split off, or read in the wrong encoding.
    fn accents(&mut self, text: String) -> String {
        let draw = self.rng.unit();
        if draw < 0.18 {
            without_marks(&text)
        } else if draw < 0.24 {
            [("ü", "ue"), ("ö", "oe"), ("ä", "ae"), ("ß", "ss")]
                .iter()
                .fold(text, |text, (letter, letters)| text.replace(letter, letters))
        } else if draw < 0.30 {
            text.nfd().collect()
        } else if self.slips(0.01) {
            text.bytes().map(char::from).collect()
        } else {
            text
        }
    }

    /// A name in the script that its bearer, or whoever writes it down in Latin letters, uses.
    pub(super) fn script<'a>(&mut self, name: &'a Name, script: Script) -> &'a str {
        let latin = name.transliterations();
        if latin.is_empty() || (script == Script::Any && self.rng.chance(0.7)) {
            return name.native();
        }
        self.rng.pick(latin).as_str()
    }

    /// Plus-tags, Gmail's dots, case, typos.
    pub(super) fn email(&mut self, email: &str) -> String {
        let (local, domain) = email.split_once('@').unwrap_or((email, ""));
        let (mut local, mut domain) = (local.to_owned(), domain.to_owned());
        let draw = self.rng.unit();
        if matches!(domain.as_str(), "gmail.com" | "googlemail.com") {
            if draw < 0.05 {
                local = format!("{local}+{}", self.rng.pick(&["shop", "news", "1", "spam"]));
            } else if draw < 0.10 {
                local = if local.contains('.') {
                    local.replace('.', "")
                } else {
                    format!("{}.{}", &local[..1], &local[1..])
                };
            } else if draw < 0.11 {
                let other = if domain == "gmail.com" { "googlemail.com" } else { "gmail.com" };
                other.clone_into(&mut domain);
            }
        }
        if self.slips(0.006) {
            local = self.typo(&local);
        }
        if self.slips(0.006) {
            domain = match self.rng.below(5) {
                0 => domain.replace("gmail", "gmial"),
                1 => domain.replace(".com", ".con"),
                2 => domain.replace('.', ","),
                3 => domain[..domain.len() - 1].to_owned(),
                _ => domain.replace("hotmail", "hotmial"),
            };
        }
        let email = format!("{local}@{domain}");
        let draw = self.rng.unit();
        if draw < 0.03 {
            email.to_uppercase()
        } else if draw < 0.08 {
            capitalised(&email)
        } else if draw < 0.085 {
            format!(" {email}")
        } else {
            email
        }
    }

    /// A birth date in one of the usual orders; day and month swapped, or a wrong year, at times.
    pub(super) fn birth_date(&mut self, date: NaiveDate, country: &str) -> String {
        let (mut year, mut month, mut day) = (date.year(), date.month(), date.day());
        if self.slips(0.012) && day <= 12 {
            (month, day) = (day, month);
        }
        if self.slips(0.006) {
            year += *self.rng.pick(&[-10, -1, 1, 10]);
            day = day.min(28);
        }
        let (first, second) = if country == "US" { (month, day) } else { (day, month) };
        let draw = self.rng.unit();
        if draw < 0.55 {
            format!("{year}-{month:02}-{day:02}")
        } else if draw < 0.85 {
            format!("{first:02}/{second:02}/{year}")
        } else if draw < 0.93 {
            format!("{first}/{second}/{:02}", year % 100)
        } else {
            format!("{first:02}.{second:02}.{year}")
        }
    }
}

/// In which script a name is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// Mostly its own.
    Any,
    Latin,
}

/// The keys beside a letter or digit; two vowels for what is not on the keyboard.
fn neighbours(letter: char) -> Vec<char> {
    let letter = lower(letter);
    for row in ["qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"] {
        if let Some(at) = row.find(letter) {
            let near = |at: Option<usize>| at.and_then(|at| row.chars().nth(at));
            return [near(at.checked_sub(1)), near(Some(at + 1))].into_iter().flatten().collect();
        }
    }
    vec!['a', 'e']
}

fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

/// First letter large, all others small.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next();
    first
        .iter()
        .flat_map(|c| c.to_uppercase())
        .chain(letters.flat_map(char::to_lowercase))
        .collect()
}

/// Latin letters without their marks.
pub(super) fn without_marks(text: &str) -> String {
    let plain = text.replace('ß', "ss").replace('ı', "i").replace('ø', "o");
    plain.nfd().filter(|c| !is_combining_mark(*c)).collect()
}

/// What of a name can stand in an e-mail address: a to z and digits.
pub(super) fn ascii_letters(text: &str) -> String {
    let plain = without_marks(text).to_lowercase();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lose_their_marks() {
        for (marked, plain) in [("Größmann", "Grossmann"), ("Ayşe", "Ayse"), ("Élodie", "Elodie")]
        {
            assert_eq!(without_marks(marked), plain);
        }
        assert_eq!(ascii_letters("O'Brien-Núñez"), "obriennunez");
        assert_eq!(capitalised("mcDONALD"), "Mcdonald");
    }

    #[test]
    fn a_typo_is_one_slip_and_short_texts_are_left_alone() {
        let mut noise = Noise::new(Rng::new(1), 1.0);
        assert_eq!(noise.typo("Al"), "Al");
        for _ in 0..500 {
            let slipped = noise.typo("Katherine");
            assert!(strsim::osa_distance("Katherine", &slipped) <= 2, "{slipped}");
        }
    }

    #[test]
    fn without_noise_a_text_differs_only_in_case_and_accents() {
        let mut noise = Noise::new(Rng::new(1), 0.0);
        for _ in 0..500 {
            let text = noise.text("Müller", 0.5);
            let plain = without_marks(&text).to_lowercase().replace("ue", "u");
            assert_eq!(plain, "muller");
        }
    }

    #[test]
    fn any_letters_survive_every_kind_of_noise() {
        let mut noise = Noise::new(Rng::new(2), 20.0);
        for text in ["Олександр", "佐藤", "Παπαδόπουλος", "Großmann", "İpek", "x", ""]
        {
            for _ in 0..200 {
                noise.text(text, 0.5);
                noise.misheard(text);
                noise.typo(text);
            }
        }
    }
}
