//! What do the people do, one household after the other?

use std::collections::BTreeMap;

use super::delivery::{Delivered, Delivery, Draft};
use super::fields::{Fields, Json};
use super::household::household;
use super::lists::LISTS;
use super::noise::{Noise, Script, capitalised};
use super::person::Person;
use super::rng::{Rng, exp, power};
use super::time::{DAY, START};
use super::world::{Number, World, moment};
use super::{Channel, Settings, Stream};

/// The exponent of the tail of events a person.
const TAIL: f64 = 1.25;
/// Scales that tail so that its mean, cut, is about what the settings ask for.
const TAIL_SCALE: f64 = 0.37;
const EVENTS_A_PERSON_MAX: i64 = 500;

const PURPOSES: [&str; 4] = ["marketing_email", "marketing_sms", "analytics", "profiling"];

/// Makes the stream that the settings name.
pub fn generate(settings: &Settings) -> Stream {
    let mut noise = Noise::new(Rng::new(settings.seed), settings.noise);
    let world = World::new(settings, &mut noise.rng);
    let mut generator = Generator {
        noise,
        world,
        delivery: Delivery::default(),
        granted: BTreeMap::new(),
        carried: Vec::new(),
    };
    let mut people = 0;
    while people < settings.customers as usize {
        let household = household(&mut generator.world, people, &mut generator.noise.rng);
        people += household.len();
        for person in &household {
            generator.live(person, settings.events_per_customer);
        }
    }
    let mut delivery = generator.delivery;
    Stream {
        lines: delivery.take_lines(),
        truth: delivery.truth,
        malformed: delivery.malformed,
        redelivered: delivery.redelivered,
        people,
        shared: generator.world.sharing.into_identifiers(),
    }
}

/// The stream under construction.
pub(super) struct Generator {
    pub(super) noise: Noise,
    pub(super) world: World,
    delivery: Delivery,
    /// The consents of the person who is acting, by purpose.
    granted: BTreeMap<&'static str, bool>,
    /// Identifiers that the event in the making speaks of, before noise.
    carried: Vec<String>,
}

impl Generator {
    fn live(&mut self, person: &Person, events_mean: f64) {
        self.granted.clear();
        let rng = &mut self.noise.rng;
        let draw = power(1.0 - rng.unit(), -1.0 / TAIL) - 0.7;
        let events = (events_mean * TAIL_SCALE * draw) as i64;
        let mut left = events.clamp(1, EVENTS_A_PERSON_MAX) as usize;
        let mut visits = Vec::new();
        while left > 0 {
            let channel = liked_channel(person, rng);
            let events = match channel {
                Channel::Web => 1 + rng.exponential(4.0) as usize,
                Channel::Email => 1 + rng.below_skewed(4),
                Channel::Phone | Channel::Store => 1,
            };
            let events = events.min(left);
            visits.push((moment(person.active_from, person.active_to, rng), channel, events));
            left -= events;
        }
        visits.sort_unstable();
        for (time, channel, events_max) in visits {
            match channel {
                Channel::Web => self.web_visit(person, time, events_max),
                Channel::Email => self.mailing(person, time, events_max),
                Channel::Phone => self.call(person, time),
                Channel::Store => self.store_visit(person, time),
            }
        }
    }

    /// Sends an event, and remembers which identifiers it spoke of and what consent it changed.
    pub(super) fn emit(&mut self, channel: Channel, person: &Person, fields: Fields, sent: i64) {
        let consent = PURPOSES.into_iter().find(|purpose| fields.text("purpose") == Some(purpose));
        let granted = fields.text("state") == Some("granted");
        let carried = std::mem::take(&mut self.carried);
        let draft = Draft { channel, person: &person.id, fields, sent };
        if self.delivery.send(draft, &mut self.noise) == Delivered::Broken {
            return;
        }
        for value in carried {
            self.world.sharing.used(&value, &person.id);
        }
        if let Some(purpose) = consent {
            self.granted.insert(purpose, granted);
        }
    }

    /// Notes that the event in the making speaks of `value`.
    pub(super) fn carry(&mut self, value: &str) {
        self.carried.push(value.to_owned());
    }

    // What a person gives when asked.

    /// The mailbox a person names at this time.
    pub(super) fn mailbox(&mut self, person: &Person, time: i64) -> String {
        let rng = &mut self.noise.rng;
        let common = person.common.mailbox.as_ref().filter(|_| rng.chance(0.5));
        let office = person.office_email.as_ref().filter(|_| rng.chance(0.15));
        let email = common.or(office).unwrap_or_else(|| {
            if rng.chance(0.9) { person.emails.at(time) } else { *rng.pick(&person.emails.all()) }
        });
        let email = email.clone();
        self.carry(&email);
        email
    }

    /// The mailbox as it is keyed in.
    pub(super) fn email(&mut self, person: &Person, time: i64) -> String {
        let mailbox = self.mailbox(person, time);
        self.noise.email(&mailbox)
    }

    /// The number a person names, or calls from, at this time.
    pub(super) fn number(&mut self, person: &Person, time: i64) -> Number {
        let draw = self.noise.rng.unit();
        let number = match (&person.common.landline, &person.office) {
            (Some(landline), _) if draw < 0.15 => landline,
            (_, Some(office)) if draw < 0.25 => &office.number,
            _ => person.mobiles.at(time),
        };
        self.carry(&number.e164());
        number.clone()
    }

    /// Given name and surname, keyed in.
    pub(super) fn names(&mut self, person: &Person, time: i64, script: Script) -> (String, String) {
        let noise = &mut self.noise;
        let mut given = noise.script(person.given, script).to_owned();
        let nickname = person.nickname.as_ref();
        if let Some(nickname) = nickname.filter(|nickname| noise.rng.chance(nickname.rate)) {
            given = capitalised(nickname.name);
        } else if noise.slips(0.02) {
            given.truncate(given.chars().next().map_or(0, char::len_utf8));
            given += *noise.rng.pick(&["", "."]);
        }
        let surname = noise.script(person.surnames.at(time), script).to_owned();
        let (mut given, mut surname) = (noise.text(&given, 0.015), noise.text(&surname, 0.015));
        if noise.slips(0.012) {
            (given, surname) = (surname, given);
        }
        if let Some(suffix) = person.suffix.filter(|_| noise.rng.chance(0.4)) {
            surname = format!("{surname} {suffix}");
        }
        (given, surname)
    }

    /// The whole name in one text, in one of the usual orders.
    pub(super) fn full_name(&mut self, person: &Person, time: i64, script: Script) -> String {
        let (mut given, surname) = self.names(person, time, script);
        let rng = &mut self.noise.rng;
        let draw = rng.unit();
        if let Some(middle) = person.middle.filter(|_| draw < 0.15) {
            let middle = middle.native();
            let initial = middle.chars().next().map_or(0, char::len_utf8);
            let shown = if draw < 0.05 { middle } else { &middle[..initial] };
            given = format!("{given} {shown}");
        }
        if draw > 0.93 {
            format!("{surname}, {given}")
        } else if draw > 0.90 {
            format!("{} {given} {surname}", rng.pick(&["Mr", "Mrs.", "Ms", "Dr"]))
        } else {
            format!("{given} {surname}")
        }
    }

    /// The form of a sign-up, or of an order that is sent home.
    pub(super) fn form(&mut self, person: &Person, time: i64, purpose: FormPurpose) -> Fields {
        let order = purpose == FormPurpose::Order;
        let placeholders = &LISTS.placeholders;
        let country = person.locale.country.as_str();
        let mut form = Fields::default();
        if self.noise.rng.chance(0.85) {
            let (given, surname) = self.names(person, time, Script::Any);
            form.set("first_name", given);
            form.set("last_name", surname);
        } else {
            form.set("name", self.full_name(person, time, Script::Any));
        }
        let email = self.email(person, time);
        form.set("email", self.noise.or_placeholder(0.004, &placeholders.email, email));
        if self.noise.rng.chance(if order { 0.75 } else { 0.3 }) {
            let number = self.number(person, time);
            let phone = self.noise.keyed_phone(&number, country);
            form.set("phone", self.noise.or_placeholder(0.02, &placeholders.phone, phone));
        }
        if !order && self.noise.rng.chance(0.4) {
            let date = self.noise.birth_date(person.born, country);
            form.set("dob", self.noise.or_placeholder(0.03, &placeholders.birth_date, date));
        }
        if order {
            form.set("address", self.noise.address(person.homes.at(time)));
        }
        if self.noise.slips(0.03) {
            let field = *self.noise.rng.pick(&form.names());
            let nothing: [Json; 3] = ["".into(), Json::Null, "N/A".into()];
            form.set(field, self.noise.rng.pick(&nothing).clone());
        }
        form
    }

    /// The fields of a change of one consent.
    pub(super) fn consent(&mut self, time: i64, source: &'static str) -> Fields {
        let purpose = *self.noise.rng.pick(&PURPOSES);
        let has = self.granted.get(purpose).copied().unwrap_or(false);
        let grants = !has && self.noise.rng.chance(0.8);
        let mut fields = Fields::default();
        fields.set("type", "consent");
        fields.set("purpose", purpose);
        fields.set("state", if grants { "granted" } else { "withdrawn" });
        fields.set("source", source);
        fields.set("policy_version", format!("v{}", 1 + (time - START).max(0) / (300 * DAY)));
        fields
    }

    /// What the person pays for a thing, in hundredths.
    pub(super) fn price(&mut self, person: &Person) -> i64 {
        let logarithm = self.noise.rng.normal(person.spending, 0.8).min(7.5);
        (exp(logarithm) * 100.0) as i64
    }
}

/// What a form is filled in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormPurpose {
    SignUp,
    Order,
}

fn liked_channel(person: &Person, rng: &mut Rng) -> Channel {
    let total: f64 = person.taste.iter().sum();
    let mut draw = rng.unit() * total;
    for (channel, weight) in Channel::ALL.into_iter().zip(person.taste) {
        if draw < weight {
            return channel;
        }
        draw -= weight;
    }
    Channel::Store
}
