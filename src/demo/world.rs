//! Which things are there before, and between, the people: places, numbers, offices, kiosks?

use std::collections::BTreeSet;

use super::Settings;
use super::lists::{City, LISTS, Locale, pick_weighted, running_sums, zipf};
use super::noise::ascii_letters;
use super::person::Person;
use super::rng::Rng;
use super::shared::{SharedKind, Sharing};
use super::time::{END, START};

/// A phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    /// The country code.
    pub(super) dial: &'static str,
    /// The national digits, without a trunk prefix.
    pub(super) national: String,
}

impl Number {
    pub(super) fn e164(&self) -> String {
        format!("+{}{}", self.dial, self.national)
    }
}

/// A postal address.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) locale: &'static Locale,
    pub(super) city: &'static City,
    pub(super) house: String,
    pub(super) street: &'static str,
    pub(super) unit: Option<String>,
    pub(super) postcode: String,
}

/// A place of work: one number and one mail domain for all.
#[derive(Clone, Debug)]
pub(super) struct Office {
    pub(super) number: Number,
    pub(super) domain: String,
}

/// A mobile number that its owner dropped, and when a stranger may get it.
pub(super) struct Dropped {
    pub(super) free_from: i64,
    pub(super) number: Number,
}

/// Everything that people share, knowingly or not.
pub(super) struct World {
    /// One list a locale, in the order of the locales.
    offices: Vec<Vec<Office>>,
    pub(super) kiosks: Vec<String>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) sharing: Sharing,
    /// E-mail addresses in use, without their dots.
    emails: BTreeSet<String>,
    locale_weights: Vec<f64>,
}

impl World {
    pub(super) fn new(settings: &Settings, rng: &mut Rng) -> Self {
        let mut sharing = Sharing::default();
        let customers = settings.customers as usize;
        let offices = LISTS.locales.iter().map(|locale| {
            // One office for sixty customers of a country.
            let count = (customers * locale.weight as usize / 100 / 60).max(1);
            let offices: Vec<Office> = (0..count).map(|_| office(locale, rng)).collect();
            for office in &offices {
                sharing.declare(SharedKind::OfficeNumber, office.number.e164());
            }
            offices
        });
        let offices = offices.collect();
        let kiosks: Vec<String> = (0..(customers / 20_000).max(1)).map(|_| rng.hex(16)).collect();
        for cookie in &kiosks {
            sharing.declare(SharedKind::KioskCookie, cookie.clone());
        }
        let weights = LISTS.locales.iter().map(|locale| f64::from(locale.weight));
        Self {
            offices,
            kiosks,
            dropped: Vec::new(),
            sharing,
            emails: BTreeSet::new(),
            locale_weights: running_sums(weights),
        }
    }

    pub(super) fn locale(&self, rng: &mut Rng) -> usize {
        pick_weighted(&self.locale_weights, rng)
    }

    /// An office of the locale; the first ones are the largest.
    pub(super) fn office(&self, locale: usize, rng: &mut Rng) -> Office {
        let offices = &self.offices[locale];
        offices[pick_weighted(&zipf(offices.len()), rng)].clone()
    }

    /// An address that nobody else has, made of the person's names and birth year like most are.
    pub(super) fn new_email(
        &mut self,
        person: &Person,
        domain: Option<&str>,
        rng: &mut Rng,
    ) -> String {
        let given = person.given.latin();
        let given = given.split(' ').next().unwrap_or(given);
        let given = non_empty(ascii_letters(given), "user");
        let surname = non_empty(ascii_letters(person.surnames.first().latin()), "x");
        let nickname = person.nickname.as_ref().map_or(given.as_str(), |nickname| nickname.name);
        let domain =
            domain.unwrap_or_else(|| rng.pick(&person.locale.mail_domains).as_str()).to_owned();
        let year = person.year_of_birth();
        for attempt in 0..50 {
            let mut local = local_part(&given, &surname, nickname, rng);
            if attempt > 0 || rng.chance(0.45) {
                local += &match rng.below(4) {
                    0 => year.to_string(),
                    1 => format!("{:02}", year % 100),
                    2 => rng.digits(2),
                    _ => rng.digits(3 + attempt / 10),
                };
            }
            let email = format!("{local}@{domain}");
            if self.emails.insert(email.replace('.', "")) {
                return email;
            }
        }
        format!("{given}{}@{domain}", rng.hex(10))
    }
}

fn non_empty(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

fn local_part(given: &str, surname: &str, nickname: &str, rng: &mut Rng) -> String {
    let draw = rng.unit();
    if draw < 0.30 {
        format!("{given}.{surname}")
    } else if draw < 0.42 {
        format!("{given}{surname}")
    } else if draw < 0.55 {
        format!("{}{surname}", &given[..1])
    } else if draw < 0.62 {
        format!("{given}{}", &surname[..1])
    } else if draw < 0.70 {
        format!("{nickname}.{surname}")
    } else if draw < 0.76 {
        format!("{surname}.{given}")
    } else if draw < 0.80 {
        format!("{given}_{surname}")
    } else {
        let word = rng.pick(&["sunny", "gamer", "mom", "happy", "xx", "soccer", "bike"]);
        format!("{word}{nickname}")
    }
}

fn office(locale: &'static Locale, rng: &mut Rng) -> Office {
    let city = city(locale, rng);
    let first = rng.pick(&["north", "blue", "prime", "acme", "delta", "green", "metro", "alpha"]);
    let second = rng.pick(&["wind", "works", "logix", "media", "foods", "labs", "bank", "care"]);
    let domain = format!("{first}{second}{}.com", rng.below(999));
    Office { number: landline(locale, city, rng), domain }
}

fn city(locale: &'static Locale, rng: &mut Rng) -> &'static City {
    &locale.cities[pick_weighted(&zipf(locale.cities.len()), rng)]
}

/// A new address somewhere in the country.
pub(super) fn address(locale: &'static Locale, rng: &mut Rng) -> Address {
    let city = city(locale, rng);
    let start = &city.postcode;
    let postcode = match locale.country.as_str() {
        "US" => format!("{start}{}", rng.digits(2)),
        "GB" => {
            let letters = ["ABDEFGHJ", "LNPQRSTU"].map(|set| char::from(*rng.pick(set.as_bytes())));
            format!("{start} {}{}{}", rng.digits(1), letters[0], letters[1])
        }
        "JP" => format!("{start}-{}", rng.digits(4)),
        country => {
            let length: usize = if country == "IN" { 6 } else { 5 };
            format!("{start}{}", rng.digits(length.saturating_sub(start.len())))
        }
    };
    Address {
        locale,
        city,
        house: (1 + rng.below_skewed(2_000)).to_string(),
        street: rng.pick(&locale.streets).as_str(),
        unit: rng.chance(0.3).then(|| (1 + rng.below(40)).to_string()),
        postcode,
    }
}

/// A new mobile number; where mobiles have area codes, that of the city.
pub(super) fn mobile(locale: &'static Locale, city: &City, rng: &mut Rng) -> Number {
    if locale.mobile_prefix.is_empty() {
        return landline(locale, city, rng);
    }
    let national = format!("{}{}", locale.mobile_prefix, rng.digits(locale.mobile_digits));
    Number { dial: &locale.dial, national }
}

/// A new number of the city's network.
pub(super) fn landline(locale: &'static Locale, city: &City, rng: &mut Rng) -> Number {
    let area = &city.area_code;
    let national = match locale.country.as_str() {
        // An exchange doesn't begin with 0 or 1.
        "US" => format!("{area}{}{}", 2 + rng.below(8), rng.digits(6)),
        "MX" => format!("{area}{}", rng.digits(8)),
        _ => {
            let whole = locale.mobile_prefix.len() + locale.mobile_digits;
            format!("{area}{}", rng.digits(whole.saturating_sub(area.len()).max(5)))
        }
    };
    Number { dial: &locale.dial, national }
}

/// A moment of the history.
pub(super) fn moment(from: i64, to: i64, rng: &mut Rng) -> i64 {
    from + (rng.unit() * (to - from).max(1) as f64) as i64
}

/// Any moment of the history.
pub(super) fn any_moment(rng: &mut Rng) -> i64 {
    moment(START, END, rng)
}
