//! A mailing: it is delivered, opened, clicked, complained about.

use crate::demo::Channel;
use crate::demo::fields::Fields;
use crate::demo::generator::Generator;
use crate::demo::person::Person;
use crate::demo::time::{DAY, HOUR, SECOND, START};

impl Generator {
    /// At most `events_max` events of one mailing from `time` on.
    pub(in crate::demo) fn mailing(&mut self, person: &Person, mut time: i64, events_max: usize) {
        let mailbox = self.mailbox(person, time);
        let varied = self.noise.rng.chance(0.04);
        let address = if varied { self.noise.email(&mailbox) } else { mailbox.clone() };
        let rng = &mut self.noise.rng;
        let week = (time - START).max(0) / (7 * DAY);
        let mut base = Fields::default();
        base.set("address", address);
        base.set("campaign_id", format!("C{week:03}{}", rng.pick(&["A", "B", "C"])));
        base.set("message_id", rng.hex(12));
        let steps = self.steps();
        for step in steps.into_iter().take(events_max) {
            let mut event = base.clone();
            self.carry(&mailbox);
            event.set("type", step);
            event.set("ts", time / SECOND);
            if step == "click" {
                event.set("url", "/sale?utm_source=email");
                let rng = &mut self.noise.rng;
                let cookie = rng.chance(0.5).then(|| rng.pick(&person.cookies).at(time).clone());
                event.set_some("cookie_id", cookie);
            }
            if matches!(step, "unsubscribe" | "complaint") {
                event.set("purpose", "marketing_email");
                event.set("state", "withdrawn");
            }
            let delay = 500 + self.noise.rng.exponential(30_000.0) as i64;
            self.emit(Channel::Email, person, event, time + delay);
            time += 20_000 + self.noise.rng.exponential(5.0 * HOUR as f64) as i64;
        }
    }

    /// What happens to the mailing, one after the other.
    fn steps(&mut self) -> Vec<&'static str> {
        let rng = &mut self.noise.rng;
        if !rng.chance(0.975) {
            return vec!["bounce"];
        }
        let mut steps = vec!["delivered"];
        if rng.chance(0.45) {
            steps.push("open");
            if rng.chance(0.2) {
                steps.push("open");
            }
            if rng.chance(0.25) {
                steps.push("click");
            }
        }
        if rng.chance(0.012) {
            steps.push("unsubscribe");
        } else if rng.chance(0.002) {
            steps.push("complaint");
        }
        steps
    }
}
