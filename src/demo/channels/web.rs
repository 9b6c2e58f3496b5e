//! A visit to the shop's site, or in its app.

use crate::demo::Channel;
use crate::demo::fields::{Fields, Json};
use crate::demo::generator::{FormPurpose, Generator};
use crate::demo::lists::LISTS;
use crate::demo::person::Person;
use crate::demo::time::iso_utc;

/// How a visit stands.
struct Visit {
    /// The fields of each of its events.
    base: Fields,
    cookie: Option<String>,
    /// Whether the person logs in.
    logs_in: bool,
    /// The address under which they are logged in.
    login: Option<Json>,
    /// The price of what lies in the cart, in hundredths.
    cart: Option<i64>,
    campaign_source: Option<&'static str>,
}

impl Generator {
    /// At most `events_max` events from `time` on.
    pub(in crate::demo) fn web_visit(&mut self, person: &Person, mut time: i64, events_max: usize) {
        let mut visit = self.visit(person, time);
        for ordinal in 0..events_max {
            let mut event = visit.base.clone();
            if let Some(cookie) = &visit.cookie {
                self.carry(cookie);
            }
            let action = self.web_action(person, time, &mut visit, ordinal == 0);
            event.extend(action);
            if let Some(login) = visit.login.as_ref() {
                event.set("login_email", login.clone());
            }
            event.set("ts", iso_utc(time));
            let delay = 200 + self.noise.rng.exponential(2_500.0) as i64;
            self.emit(Channel::Web, person, event, time + delay);
            time += 3_000 + self.noise.rng.exponential(45_000.0) as i64;
        }
    }

    fn visit(&mut self, person: &Person, time: i64) -> Visit {
        let rng = &mut self.noise.rng;
        let app = person.app_device.as_ref().filter(|_| rng.chance(0.35));
        let tablet = person.common.tablet_cookie.as_ref();
        let cookie = if app.is_some() {
            None
        } else if rng.chance(0.002) {
            Some(rng.pick(&self.world.kiosks).clone())
        } else if let Some(tablet) = tablet.filter(|_| rng.chance(0.2)) {
            Some(tablet.clone())
        } else {
            Some(rng.pick(&person.cookies).at(time).clone())
        };
        let mut base = Fields::default();
        base.set_some("cookie_id", cookie.clone());
        base.set_some("device_id", app.cloned());
        base.set("session_id", rng.hex(10));
        let ip = if rng.chance(0.7) {
            person.common.ip.at(time).clone()
        } else {
            format!("100.64.{}.{}", rng.below(9), rng.below(255))
        };
        base.set("ip", ip);
        let (browsers, apps) = LISTS.user_agents.split_at(6);
        base.set("user_agent", rng.pick(if app.is_some() { apps } else { browsers }).as_str());
        base.set("locale", person.locale.country.as_str());
        Visit {
            base,
            cookie,
            logs_in: rng.chance(if app.is_some() { 0.75 } else { 0.3 }),
            login: None,
            cart: None,
            campaign_source: *rng.pick(&[
                None,
                None,
                Some("google"),
                Some("email"),
                Some("social"),
            ]),
        }
    }

    fn web_action(&mut self, person: &Person, time: i64, visit: &mut Visit, first: bool) -> Fields {
        let mut action = Fields::default();
        let draw = self.noise.rng.unit();
        if first && self.noise.rng.chance(0.035) {
            let form = self.form(person, time, FormPurpose::SignUp);
            visit.login = form.text("email").map(Json::from);
            action.set("type", "signup");
            action.set("form", form);
        } else if visit.logs_in && visit.login.is_none() {
            visit.login = Some(self.email(person, time).into());
            action.set("type", "login");
        } else if draw < 0.012 {
            let source = *self.noise.rng.pick(&["preference_center", "cookie_banner"]);
            return self.consent(time, source);
        } else if draw < 0.0135 {
            action.set("type", "privacy_request");
            let requests = ["erasure", "access", "rectification"];
            action.set("request", *self.noise.rng.pick(&requests));
        } else if draw < 0.45 {
            action.set("type", "page_view");
            action.set("url", self.page(visit, first));
        } else if draw < 0.78 || (visit.cart.is_none() && draw < 0.9) {
            let price = self.price(person);
            action.set("type", "product_view");
            action.set("product", self.product(person, price, 0.6));
        } else if draw < 0.83 {
            let rng = &mut self.noise.rng;
            let words = [rng.pick(&LISTS.categories), *rng.pick(&["", " sale", " xl", " blue"])];
            action.set("type", "search");
            action.set("query", words.concat());
        } else if let Some(price) = visit.cart.take() {
            return self.order(person, time, price);
        } else {
            let price = self.price(person);
            visit.cart = Some(price);
            action.set("type", "add_to_cart");
            action.set("product", self.product(person, price, 1.0));
        }
        action
    }

    fn page(&mut self, visit: &Visit, first: bool) -> String {
        let page = *self.noise.rng.pick(&["/", "/sale", "/help", "/stores", "/account"]);
        match visit.campaign_source.filter(|_| first) {
            Some(source) => format!("{page}?utm_source={source}"),
            None => page.to_owned(),
        }
    }

    /// A product; at rate `favourite` of the category that the person likes best.
    fn product(&mut self, person: &Person, price: i64, favourite: f64) -> Fields {
        let rng = &mut self.noise.rng;
        let mut product = Fields::default();
        product.set("sku", format!("SKU{:05}", rng.below_skewed(5_000)));
        let liked = rng.chance(favourite);
        let category = if liked { person.category } else { rng.pick(&LISTS.categories).as_str() };
        product.set("category", category);
        product.set("price", Json::hundredths(price));
        product
    }

    fn order(&mut self, person: &Person, time: i64, price: i64) -> Fields {
        let rng = &mut self.noise.rng;
        let mut order = Fields::default();
        order.set("order_id", format!("W{}", rng.digits(9)));
        order.set("amount", Json::hundredths(price * (1 + rng.below(3) as i64)));
        order.set("currency", person.locale.currency.as_str());
        order.set("items", 1 + rng.below(4) as i64);
        let mut action = Fields::default();
        action.set("type", "purchase");
        action.set("order", order);
        action.set("form", self.form(person, time, FormPurpose::Order));
        let loyalty = person.loyalty.first().filter(|_| self.noise.rng.chance(0.3));
        if let Some(loyalty) = loyalty {
            self.carry(loyalty);
            action.set("loyalty_id", loyalty.as_str());
        }
        action
    }
}
