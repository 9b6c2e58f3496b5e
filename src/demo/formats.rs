//! In which of the usual ways is a phone number or an address written?

use super::fields::{Fields, Json};
use super::lists::LISTS;
use super::noise::Noise;
use super::world::{Address, Number};

impl Noise {
    /// A phone number typed by hand: digits get swapped, mistaken or lost before it is formatted.
    pub(super) fn keyed_phone(&mut self, number: &Number, country: &str) -> String {
        let mut digits: Vec<char> = number.national.chars().collect();
        if self.slips(0.015) {
            let at = self.rng.below(digits.len() - 1);
            digits.swap(at, at + 1);
        }
        if self.slips(0.008) {
            let at = self.rng.below(digits.len());
            digits[at] = char::from(*self.rng.pick(b"0123456789"));
        }
        if self.slips(0.004) {
            digits.pop();
        }
        let number = Number { dial: number.dial, national: digits.into_iter().collect() };
        self.phone(&number, country)
    }

    /// A phone number as people and systems write it.
    pub(super) fn phone(&mut self, number: &Number, country: &str) -> String {
        let Number { dial, national: n } = number;
        let draw = self.rng.unit();
        if draw < 0.30 {
            return number.e164();
        }
        let (area, exchange, line) = (&n[..3], &n[3..6], &n[6..]);
        if *dial == "1" {
            return match draw {
                d if d < 0.50 => format!("({area}) {exchange}-{line}"),
                d if d < 0.68 => format!("{area}-{exchange}-{line}"),
                d if d < 0.80 => n.clone(),
                d if d < 0.86 => format!("{area}.{exchange}.{line}"),
                d if d < 0.93 => format!("1{n}"),
                d if d < 0.95 => format!("{n} x{}", 100 + self.rng.below(900)),
                d if d > 0.99 => format!("{exchange}{line}"),
                _ => format!("+1 {area} {exchange} {line}"),
            };
        }
        let trunk = if matches!(country, "ES" | "GR" | "MX") { "" } else { "0" };
        match draw {
            d if d < 0.55 => format!("{trunk}{n}"),
            d if d < 0.70 => format!("{trunk}{area} {exchange} {line}"),
            d if d < 0.80 => format!("00{dial}{n}"),
            d if d < 0.88 && trunk.is_empty() => format!("+{dial} {} {}", &n[..2], &n[2..]),
            d if d < 0.88 => format!("+{dial} ({trunk}){} {}", &n[..2], &n[2..]),
            _ => format!("+{dial} {area} {exchange} {line}"),
        }
    }

    /// An address: one in five in one text, the others as an object.
    pub(super) fn address(&mut self, address: &Address) -> Json {
        let country = address.locale.country.as_str();
        let mut street = address.street.to_owned();
        if self.rng.chance(0.35) {
            street = abbreviated(&street);
        }
        let mut line = if matches!(country, "DE" | "ES" | "MX" | "UA" | "GR") {
            format!("{street} {}", address.house)
        } else {
            format!("{} {street}", address.house)
        };
        if let Some(unit) = address.unit.as_ref().filter(|_| self.rng.chance(0.8)) {
            line += *self.rng.pick(&[", Apt ", " #", ", Unit ", " apt "]);
            line += unit;
        }
        let line = self.text(&line, 0.02);
        let city = self.text(&address.city.name, 0.015);
        let postcode = self.postcode(address);
        let region = address.city.region.as_str();
        if self.rng.chance(0.2) {
            let region = if country == "US" { region } else { "" };
            let parts = [line.as_str(), &city, region, &postcode];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            return parts.join(", ").into();
        }
        let mut object = Fields::default();
        object.set("line1", line);
        object.set("city", city);
        object.set("region", region);
        object.set("postcode", postcode);
        let small = self.rng.below(3) == 0;
        object.set("country", if small { country.to_lowercase() } else { country.to_owned() });
        object.into()
    }

    fn postcode(&mut self, address: &Address) -> String {
        let mut postcode = address.postcode.clone();
        if self.slips(0.012) {
            postcode = self.typo(&postcode);
        }
        match address.locale.country.as_str() {
            "GB" if self.rng.chance(0.3) => postcode.replace(' ', "").to_lowercase(),
            "US" if self.rng.chance(0.12) => {
                format!("{postcode}-{}", 1_000 + self.rng.below(9_000))
            }
            _ => postcode,
        }
    }
}

/// The street with its type written in another usual way, if it has one.
fn abbreviated(street: &str) -> String {
    let fits = |long: &str| {
        let inside = long.starts_with(char::is_lowercase) && street.contains(long);
        inside || street.ends_with(long)
    };
    let found = LISTS.abbreviations.iter().find(|(long, _)| fits(long));
    found.map_or_else(|| street.to_owned(), |(long, short)| street.replace(long, short))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::rng::Rng;

    #[test]
    fn street_types_are_written_in_two_ways() {
        for (street, other) in [
            ("Maple Street", "Maple St"),
            ("Hauptstraße", "Hauptstr."),
            ("Oak Ave", "Oak Avenue"),
            ("Ermou", "Ermou"),
        ] {
            assert_eq!(abbreviated(street), other);
        }
    }

    #[test]
    fn every_way_to_write_a_number_keeps_its_last_digits() {
        let mut noise = Noise::new(Rng::new(1), 1.0);
        let us = Number { dial: "1", national: "2125550123".to_owned() };
        let gb = Number { dial: "44", national: "7400123456".to_owned() };
        for (number, country, end) in [(&us, "US", "5550123"), (&gb, "GB", "400123456")] {
            for _ in 0..300 {
                let written = noise.phone(number, country);
                let digits: String = written.split('x').next().unwrap_or_default().into();
                let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
                assert!(digits.ends_with(end), "{written}");
            }
        }
    }
}
