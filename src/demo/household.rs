//! Who lives together, and what do they share?
//!
//! Seven of ten households have two to five people: a couple, and children who at times bear a
//! parent's name.

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::lists::{LISTS, Locale, Name};
use super::person::{Common, Nickname, Person, Sex, Timeline};
use super::rng::{Rng, ln, power};
use super::shared::SharedKind;
use super::time::{DAY, END, START};
use super::world::{
    Address, Dropped, Number, World, address, any_moment, landline, mobile, moment,
};

/// How long a dropped mobile number rests before a stranger gets it.
const NUMBER_RESTS: i64 = 90 * DAY;

/// What holds for the whole household before its people are known.
struct House {
    locale_index: usize,
    locale: &'static Locale,
    size: usize,
    surname: &'static Name,
    homes: Timeline<Address>,
    common: Common,
    loyalty: Option<String>,
    joint_card: Option<String>,
}

/// The name, age and sex with which a person enters the household.
struct Entry {
    sex: Sex,
    given: &'static Name,
    suffix: Option<&'static str>,
    born: NaiveDate,
    age: i64,
}

/// Makes the next household; its people are numbered from `first_number`.
pub(super) fn household(world: &mut World, first_number: usize, rng: &mut Rng) -> Vec<Person> {
    let house = house(world, rng);
    let mut people: Vec<Person> = Vec::new();
    for place in 0..house.size {
        let entry = enter(&house, &people, rng);
        let person = person(world, &house, place, first_number + place, entry, rng);
        people.push(person);
    }
    if house.size > 1 && rng.chance(0.08) {
        let mailbox = people[0].emails.first().clone();
        world.sharing.declare(SharedKind::HouseholdMailbox, mailbox.clone());
        for person in people.iter_mut().take(2) {
            person.common.mailbox = Some(mailbox.clone());
        }
    }
    people
}

fn house(world: &mut World, rng: &mut Rng) -> House {
    let locale_index = world.locale(rng);
    let locale = &LISTS.locales[locale_index];
    let draw = rng.unit();
    let size = 1 + [0.30, 0.66, 0.81, 0.93].iter().filter(|share| draw >= **share).count();
    let mut homes = Timeline::new(address(locale, rng));
    if rng.chance(0.22) {
        homes.change(any_moment(rng), address(locale, rng));
    }
    let surname = locale.surnames.pick(rng);
    let line = rng.chance(0.35).then(|| landline(locale, homes.first().city, rng));
    let several = size > 1;
    let tablet_cookie = (several && rng.chance(0.15)).then(|| rng.hex(16));
    let loyalty = rng.chance(0.12).then(|| rng.digits(10));
    let joint_card = (several && rng.chance(0.25)).then(|| rng.hex(12));
    let mut ip = Timeline::new(ip_address(rng));
    if rng.chance(0.4) {
        ip.change(any_moment(rng), ip_address(rng));
    }
    let shared = [
        (SharedKind::HouseholdLandline, line.as_ref().map(Number::e164)),
        (SharedKind::HouseholdTablet, tablet_cookie.clone()),
        (SharedKind::HouseholdLoyalty, loyalty.clone()),
        (SharedKind::JointCard, joint_card.clone()),
    ];
    for (kind, value) in shared {
        if let Some(value) = value {
            world.sharing.declare(kind, value);
        }
    }
    let common = Common { landline: line, tablet_cookie, mailbox: None, ip };
    House { locale_index, locale, size, surname, homes, common, loyalty, joint_card }
}

fn ip_address(rng: &mut Rng) -> String {
    let part = |rng: &mut Rng| 1 + rng.below(253);
    format!("{}.{}.{}.{}", part(rng), part(rng), part(rng), part(rng))
}

fn enter(house: &House, people: &[Person], rng: &mut Rng) -> Entry {
    let eldest = people.first();
    let sex = match eldest {
        Some(eldest) if people.len() == 1 && rng.chance(0.92) => eldest.sex.other(),
        _ if rng.chance(0.5) => Sex::Female,
        _ => Sex::Male,
    };
    let mut given = given_name(house.locale, sex, rng);
    let age = match eldest {
        None => 22 + (power(1.0 - rng.unit(), 1.3) * 62.0) as i64,
        Some(eldest) if people.len() == 1 => {
            i64::from(2025 - eldest.born.year()) + rng.below(11) as i64 - 5
        }
        Some(_) => 14 + rng.below(12) as i64,
    };
    let mut born = birth_date(age.max(14), rng);
    let twin = people.last().filter(|_| people.len() > 2 && rng.chance(0.05));
    if let Some(twin) = twin {
        born = twin.born;
    }
    let mut suffix = None;
    let namesake = eldest.filter(|eldest| people.len() >= 2 && eldest.sex == sex);
    if let Some(parent) = namesake.filter(|_| rng.chance(0.06)) {
        given = parent.given;
        suffix = Some(*rng.pick(&["Jr", "Jr.", "II"]));
    }
    Entry { sex, given, suffix, born, age }
}

fn given_name(locale: &'static Locale, sex: Sex, rng: &mut Rng) -> &'static Name {
    match sex {
        Sex::Female => locale.female.pick(rng),
        Sex::Male => locale.male.pick(rng),
    }
}

fn birth_date(age: i64, rng: &mut Rng) -> NaiveDate {
    let days = age * 365 + rng.below(365) as i64;
    let new_year = NaiveDate::from_ymd_opt(2025, 1, 1).expect("every year has a first day");
    new_year - TimeDelta::days(days)
}

fn person(
    world: &mut World,
    house: &House,
    place: usize,
    number: usize,
    entry: Entry,
    rng: &mut Rng,
) -> Person {
    let locale = house.locale;
    let Entry { sex, given, suffix, born, age } = entry;
    let other_name = place == 1 && rng.chance(0.22);
    let mut surnames =
        Timeline::new(if other_name { locale.surnames.pick(rng) } else { house.surname });
    if sex == Sex::Female && age < 45 && rng.chance(0.04) {
        surnames.change(any_moment(rng), locale.surnames.pick(rng));
    }
    let moves_out = place >= 2 && rng.chance(0.15);
    let mut homes = house.homes.clone();
    if moves_out {
        homes = Timeline::new(house.homes.first().clone());
        homes.change(any_moment(rng), address(locale, rng));
    }
    let (mobiles, inherited) = mobile_numbers(world, locale, &homes, rng);
    let office = (age >= 22 && rng.chance(0.5)).then(|| world.office(house.locale_index, rng));
    let (active_from, active_to) = activity(inherited, rng);
    let mut person = Person {
        id: format!("P{number:08}"),
        locale,
        sex,
        given,
        nickname: nickname(given, rng),
        middle: rng.chance(0.6).then(|| given_name(locale, sex, rng)),
        surnames,
        suffix,
        born,
        common: house.common.clone(),
        homes,
        mobiles,
        office,
        emails: Timeline::new(String::new()),
        office_email: None,
        cookies: cookies(rng),
        app_device: rng.chance(0.35).then(|| rng.hex(20)),
        loyalty: loyalty(house, rng),
        cards: cards(house, place, rng),
        taste: [1.1, 1.0, 0.35, 0.9].map(|weight| -ln(1.0 - rng.unit()) * weight),
        category: rng.pick(&LISTS.categories).as_str(),
        spending: rng.normal(3.4, 0.7),
        active_from,
        active_to,
    };
    add_emails(world, &mut person, rng);
    person
}

/// The person's own mobiles, and since when the first of them was a stranger's no longer.
fn mobile_numbers(
    world: &mut World,
    locale: &'static Locale,
    homes: &Timeline<Address>,
    rng: &mut Rng,
) -> (Timeline<Number>, Option<i64>) {
    let city = homes.first().city;
    let free = world.dropped.last().is_some_and(|dropped| dropped.number.dial == locale.dial);
    let inherited = if free && rng.chance(0.3) { world.dropped.pop() } else { None };
    let since = inherited.as_ref().map(|dropped| dropped.free_from);
    let first = match inherited {
        Some(dropped) => dropped.number,
        None => mobile(locale, city, rng),
    };
    let mut mobiles = Timeline::new(first.clone());
    if rng.chance(0.18) {
        let changes = moment(since.unwrap_or(START), END, rng);
        if rng.chance(0.15) {
            let free_from = (changes + NUMBER_RESTS).min(END - 1);
            world.sharing.declare(SharedKind::RecycledMobile, first.e164());
            world.dropped.push(Dropped { free_from, number: first });
        }
        mobiles.change(changes, mobile(locale, city, rng));
    }
    (mobiles, since)
}

fn nickname(given: &Name, rng: &mut Rng) -> Option<Nickname> {
    let nicknames = LISTS.nicknames.get(&given.native().to_lowercase())?;
    rng.chance(0.6).then(|| Nickname { name: rng.pick(nicknames).as_str(), rate: rng.unit() * 0.7 })
}

fn cookies(rng: &mut Rng) -> Vec<Timeline<String>> {
    let browsers = 1 + (rng.unit() * 2.6) as usize;
    let browser = |rng: &mut Rng| {
        let mut cookie = Timeline::new(rng.hex(16));
        for _ in 0..rng.below_skewed(4) {
            cookie.change(any_moment(rng), rng.hex(16));
        }
        cookie
    };
    (0..browsers).map(|_| browser(rng)).collect()
}

fn loyalty(house: &House, rng: &mut Rng) -> Vec<String> {
    let mut loyalty = Vec::new();
    match &house.loyalty {
        Some(shared) if rng.chance(0.7) => loyalty.push(shared.clone()),
        _ if rng.chance(0.4) => loyalty.push(rng.digits(10)),
        _ => {}
    }
    if rng.chance(0.04) {
        loyalty.push(rng.digits(10));
    }
    loyalty
}

fn cards(house: &House, place: usize, rng: &mut Rng) -> Vec<String> {
    let own = 1 + (rng.unit() * 1.7) as usize;
    let joint = house.joint_card.clone().filter(|_| place < 2);
    (0..own).map(|_| rng.hex(12)).chain(joint).collect()
}

/// From when to when the person is a customer; with an inherited number, not before it was free.
fn activity(inherited: Option<i64>, rng: &mut Rng) -> (i64, i64) {
    let mut from = if rng.chance(0.6) { moment(START, END - 30 * DAY, rng) } else { START };
    if let Some(free_from) = inherited {
        from = from.max(free_from.min(END - 2 * DAY));
    }
    let leaves = rng.chance(0.6);
    let stay = DAY + rng.exponential(400.0 * DAY as f64) as i64;
    (from, if leaves { (from + stay).min(END) } else { END })
}

fn add_emails(world: &mut World, person: &mut Person, rng: &mut Rng) {
    person.emails = Timeline::new(world.new_email(person, None, rng));
    while rng.chance(0.33) {
        let email = world.new_email(person, None, rng);
        person.emails.change(any_moment(rng), email);
    }
    if let Some(office) = person.office.clone().filter(|_| rng.chance(0.5)) {
        person.office_email = Some(world.new_email(person, Some(&office.domain), rng));
    }
}
