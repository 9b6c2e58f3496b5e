//! A call, as the agent and the telephone system write it down.

use crate::demo::Channel;
use crate::demo::fields::{Fields, Json};
use crate::demo::generator::Generator;
use crate::demo::lists::LISTS;
use crate::demo::noise::Script;
use crate::demo::person::Person;
use crate::demo::rng::exp;
use crate::demo::time::{SECOND, iso_offset};

impl Generator {
    pub(in crate::demo) fn call(&mut self, person: &Person, time: i64) {
        let home = person.homes.at(time);
        let country = person.locale.country.as_str();
        let placeholders = &LISTS.placeholders;
        let mut event = Fields::default();
        event.set("type", "call");
        event.set("call_id", format!("K{}", self.noise.rng.digits(10)));
        event.set("ts", iso_offset(time, home.city.utc_offset_minutes));
        event.set("direction", if self.noise.rng.chance(0.85) { "inbound" } else { "outbound" });
        event.set("caller_number", self.caller_number(person, time));
        event.set("agent_id", format!("A{:03}", self.noise.rng.below_skewed(300)));
        if self.noise.rng.chance(0.9) {
            let name = self.heard_name(person, time);
            event.set("caller_name", self.noise.or_placeholder(0.02, &placeholders.name, name));
        }
        if self.noise.rng.chance(0.2) {
            let email = self.spelled_email(person, time, 0.05);
            event.set("email", self.noise.or_placeholder(0.02, &placeholders.email, email));
        }
        if !person.loyalty.is_empty() && self.noise.rng.chance(0.25) {
            let loyalty = self.noise.rng.pick(&person.loyalty);
            self.carry(loyalty);
            event.set("loyalty_id", loyalty.as_str());
        }
        if self.noise.rng.chance(0.18) {
            event.set("dob", self.noise.birth_date(person.born, country));
        }
        if self.noise.rng.chance(0.3) {
            event.set("postcode", home.postcode.as_str());
        }
        let rng = &mut self.noise.rng;
        let seconds = exp(rng.normal(5.2, 0.8)) as i64;
        let mood = (rng.normal(0.1, 0.45).clamp(-1.0, 1.0) * 100.0) as i64;
        event.set("reason", rng.pick(&LISTS.reasons).as_str());
        event.set("duration_s", seconds);
        event.set("sentiment", Json::hundredths(mood));
        event.set("resolved", rng.chance(0.8));
        let delay = rng.exponential(240_000.0) as i64;
        if rng.chance(0.03) {
            let consent = self.consent(time, "verbal");
            event.extend(consent);
        }
        self.emit(Channel::Phone, person, event, time + seconds * SECOND + delay);
    }

    /// The number that the telephone system shows.
    fn caller_number(&mut self, person: &Person, time: i64) -> String {
        if self.noise.rng.chance(0.05) {
            return (*self.noise.rng.pick(&["anonymous", "Restricted", ""])).to_owned();
        }
        let number = self.number(person, time);
        if self.noise.rng.chance(0.35) {
            self.noise.phone(&number, &person.locale.country)
        } else {
            number.e164()
        }
    }

    /// The name as the agent types it; one word in it may be misheard.
    fn heard_name(&mut self, person: &Person, time: i64) -> String {
        let name = self.full_name(person, time, Script::Latin);
        if !self.noise.slips(0.12) {
            return name;
        }
        let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
        let misheard = self.noise.rng.below(words.len());
        words[misheard] = self.noise.misheard(&words[misheard]);
        words.join(" ")
    }

    /// An address that was spelled out to somebody, who mistypes it at this rate.
    pub(super) fn spelled_email(&mut self, person: &Person, time: i64, typo: f64) -> String {
        if self.noise.slips(typo) {
            let mailbox = self.mailbox(person, time);
            self.noise.typo(&mailbox)
        } else {
            self.email(person, time)
        }
    }
}
