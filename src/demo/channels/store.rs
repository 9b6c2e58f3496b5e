//! A visit to a shop, as the till writes it down.

use crate::demo::Channel;
use crate::demo::fields::{Fields, Json};
use crate::demo::generator::Generator;
use crate::demo::lists::LISTS;
use crate::demo::noise::Script;
use crate::demo::person::Person;
use crate::demo::time::{DAY, DateFormat, HOUR, MINUTE, till};
use crate::demo::world::Address;

/// How many letters of a name fit on a card's magnetic stripe.
const STRIPE_LETTERS: usize = 20;

impl Generator {
    pub(in crate::demo) fn store_visit(&mut self, person: &Person, time: i64) {
        let home = person.homes.at(time);
        let offset_minutes = home.city.utc_offset_minutes;
        // Shops are open from nine to eight, on their own clock.
        let opened = 9 * HOUR + (self.noise.rng.unit() * 11.0 * HOUR as f64) as i64;
        let time = time - time.rem_euclid(DAY) + opened - offset_minutes * MINUTE;
        let store = self.store_id(home);
        let nightly = store.ends_with(['2', '3']);
        let american = person.locale.country == "US";
        let format = if american { DateFormat::MonthFirst } else { DateFormat::DayFirst };

        let mut event = Fields::default();
        event.set("type", if self.noise.rng.chance(0.93) { "purchase" } else { "return" });
        event.set("ts", till(time, offset_minutes, format));
        event.set("utc_offset", Json::Real(offset_minutes as f64 / 60.0));
        event.set("date_format", format.name());
        event.set("store_id", store);
        event.set("register", 1 + self.noise.rng.below(8) as i64);
        let names = self.names(person, time, Script::Latin);
        self.till_identity(person, time, &names, &mut event);
        let basket = self.price(person) as f64 * (1.0 + self.noise.rng.unit());
        event.set("basket_amount", Json::hundredths(basket as i64));
        event.set("currency", person.locale.currency.as_str());
        event.set("items", 1 + self.noise.rng.below(9) as i64);
        if !person.loyalty.is_empty() && self.noise.rng.chance(0.03) {
            let enrolment = self.enrolment(person, time, &names);
            event.extend(enrolment);
        } else if self.noise.rng.chance(0.01) {
            let consent = self.consent(time, "paper_form");
            event.extend(consent);
        }
        let rng = &mut self.noise.rng;
        let sent = if nightly {
            // All of a day's receipts, at two in the morning.
            (time.div_euclid(DAY) + 1) * DAY + 2 * HOUR + rng.below(HOUR as usize) as i64
        } else {
            time + 1_000 + rng.exponential(20_000.0) as i64
        };
        self.emit(Channel::Store, person, event, sent);
    }

    /// Each city has four stores, the first being the busiest.
    fn store_id(&mut self, home: &Address) -> String {
        let place = home.city.name.chars().map(u32::from).sum::<u32>() % 97;
        format!("{}{place:02}{}", home.locale.country, self.noise.rng.below_skewed(4))
    }

    /// Whatever the customer shows or says at the till.
    fn till_identity(
        &mut self,
        person: &Person,
        time: i64,
        (given, surname): &(String, String),
        event: &mut Fields,
    ) {
        let placeholders = &LISTS.placeholders;
        if !person.loyalty.is_empty() && self.noise.rng.chance(0.65) {
            if self.noise.slips(0.002) {
                event.set("loyalty_id", self.noise.rng.digits(10));
            } else {
                let loyalty = self.noise.rng.pick(&person.loyalty);
                self.carry(loyalty);
                event.set("loyalty_id", loyalty.as_str());
            }
        }
        if self.noise.rng.chance(0.72) {
            let card = self.noise.rng.pick(&person.cards);
            self.carry(card);
            event.set("card_token", card.as_str());
        }
        let draw = self.noise.rng.unit();
        if draw >= 0.55 {
            let name = if draw < 0.70 {
                let stripe = format!("{surname}/{given}").to_uppercase();
                stripe.chars().take(STRIPE_LETTERS).collect()
            } else if draw < 0.78 {
                let initial = surname.chars().next().map(String::from).unwrap_or_default();
                format!("{given} {initial}").to_uppercase()
            } else {
                format!("{given} {surname}")
            };
            event.set("name", self.noise.or_placeholder(0.03, &placeholders.name, name));
        }
        if self.noise.rng.chance(0.22) {
            let number = self.number(person, time);
            let phone = self.noise.keyed_phone(&number, &person.locale.country);
            event.set("phone", self.noise.or_placeholder(0.06, &placeholders.phone, phone));
        }
        if self.noise.rng.chance(0.18) {
            let email = self.spelled_email(person, time, 0.03);
            event.set("email", self.noise.or_placeholder(0.04, &placeholders.email, email));
        }
    }

    /// The form on which a customer joins the loyalty scheme.
    fn enrolment(
        &mut self,
        person: &Person,
        time: i64,
        (given, surname): &(String, String),
    ) -> Fields {
        let mut fields = Fields::default();
        fields.set("type", "enrol");
        if let Some(loyalty) = person.loyalty.first() {
            self.carry(loyalty);
            fields.set("loyalty_id", loyalty.as_str());
        }
        fields.set("name", format!("{given} {surname}"));
        let date = self.noise.birth_date(person.born, &person.locale.country);
        let dates = &LISTS.placeholders.birth_date;
        fields.set("dob", self.noise.or_placeholder(0.05, dates, date));
        fields.set("email", self.email(person, time));
        fields.set("home_address", self.noise.address(person.homes.at(time)));
        fields
    }
}
