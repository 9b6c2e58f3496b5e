//! The declared meanings of one source, compiled.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use super::matching::OwnFields;
use super::{one_of, size};
use crate::config::problem::{At, Result, unknown_key};
use crate::config::settings::{
    ConsentSettings, DetailSettings, ErasureRequestSettings, LimitSettings, MoneySettings,
    SourceSettings, SuppressionSettings,
};
use crate::config::value::{OneOrMany, Reference, Scalar};
use crate::normalise::DateOrder;
use crate::record::{ContactChannel, MoneyKind, RawField, SuppressionState};
use crate::source::{
    Choice, ConsentRule, DetailRule, Limits, Mapping, MoneyRule, MonthFirst, Pointer,
    SuppressionRule, Text, TimeFormat, TimeRule, When,
};

/// The parser itself gives up at 128.
const DEPTH_MAX: usize = 100;

/// What an amount of 64 bits can bear.
const DECIMALS_MAX: u8 = 6;

/// Compiles the mapping of a source; `flat` where its rows have no values within values. Takes note
/// of what is wrong, and leaves it out.
pub(super) fn mapping(
    name: &str,
    settings: &SourceSettings,
    date_order: DateOrder,
    flat: bool,
    own: &OwnFields,
    at: &At,
) -> Mapping {
    let compile = Compile { flat };
    let record_id = compile.optional(settings.record_id.as_ref(), &at.under("record_id"));
    let event_id = compile.optional(settings.event_id.as_ref(), &at.under("event_id"));
    let keyed = settings.record_id.is_some() || at.under("record_id").is_replaced();
    let missing = |key: &str, remedy: &str| {
        let at = at.under(key);
        at.note(at.problem(format!("is missing; {remedy}")));
    };
    if settings.event_id.is_none() && !keyed {
        missing("event_id", "give a pointer, or `record_id` where rows have keys");
    }
    if settings.r#type.is_none() && !keyed {
        missing("type", "give a pointer, or a constant as { value = \"...\" }");
    }
    if settings.occurred_at.is_none() && !keyed {
        missing("occurred_at", "give { path = \"...\", format = \"...\" }");
    }
    if settings.identity.is_empty() {
        missing("identity", "say at least one thing by which a customer is known");
    }
    let kind = settings.r#type.as_ref().map(|given| compile.text(given, &at.under("type")));
    let channel =
        settings.channel.as_ref().map(|given| compile.channel(given, &at.under("channel")));
    let mut money = compile.money(&settings.purchase, MoneyKind::Purchase, &at.under("purchase"));
    money.extend(compile.money(&settings.r#return, MoneyKind::Return, &at.under("return")));
    Mapping {
        channel: channel.unwrap_or_else(|| Text::Constant(name.into())),
        event_id,
        record_id,
        kind: kind.unwrap_or_else(|| Text::Constant("row".into())),
        occurred_at: compile.time(settings, &at.under("occurred_at")),
        require: compile.require(&settings.require, &at.under("require")),
        identity: compile.identity(&settings.identity, own, &at.under("identity")),
        money,
        consent: compile.consent(&settings.consent, &at.under("consent")),
        suppression: compile.suppression(&settings.suppression, &at.under("suppression")),
        erasure: compile.erasure(&settings.erasure, &at.under("erasure")),
        detail: compile.detail(&settings.detail, &at.under("detail")),
        month_first: compile.month_first(settings, date_order, at),
        limits: limits(&settings.limits, &at.under("limits")),
    }
}

fn limits(settings: &LimitSettings, at: &At) -> Limits {
    let default = Limits::default();
    let bytes = |given: &Option<String>, default: usize, name: &str| {
        let Some(text) = given else { return default };
        let at = at.under(name);
        let bytes = size(Some(text), "", &at).and_then(|bytes| {
            usize::try_from(bytes).map_err(|_| at.wrong(text, "is more than can be addressed"))
        });
        at.take(bytes).unwrap_or(default)
    };
    let depth = settings.depth.unwrap_or(default.depth);
    if !(1..=DEPTH_MAX).contains(&depth) {
        let at = at.under("depth");
        at.note(at.wrong(depth, format!("give 1 to {DEPTH_MAX}")));
    }
    let members = settings.members.unwrap_or(default.members);
    if members == 0 {
        let at = at.under("members");
        at.note(at.wrong(members, "give at least 1"));
    }
    Limits {
        payload: bytes(&settings.payload, default.payload, "payload"),
        depth,
        text: bytes(&settings.text, default.text, "text"),
        members,
    }
}

/// Compiles references of one source. Takes note of what is wrong, and leaves it out.
#[derive(Clone, Copy)]
struct Compile {
    flat: bool,
}

impl Compile {
    fn pointer(self, text: &str, at: &At) -> Result<Pointer> {
        let pointer = Pointer::parse(text).ok_or_else(|| {
            let remedy = "a pointer begins with `/`, as in /form/email; a constant is written \
                          { value = \"...\" }";
            at.wrong(text, remedy)
        })?;
        if self.flat && pointer.depth() > 1 {
            let remedy = "the rows of a CSV file have columns only; write /COLUMN, and `/` in \
                          its name as ~1";
            return Err(at.wrong(text, remedy));
        }
        Ok(pointer)
    }

    /// Pointers without anything else.
    fn pointers(self, given: &OneOrMany<Reference>, at: &At) -> Vec<Pointer> {
        let pointers = given.0.iter().enumerate().map(|(i, reference)| match reference {
            Reference { path: Some(path), value: None, take: None, and: None } => {
                self.pointer(path, &at.item(i))
            }
            _ => {
                let remedy = "give a pointer or a list of pointers, nothing else";
                Err(at.item(i).problem(remedy))
            }
        });
        at.take_all(pointers)
    }

    fn optional(self, given: Option<&OneOrMany<Reference>>, at: &At) -> Vec<Pointer> {
        let Some(given) = given else { return Vec::new() };
        if given.0.is_empty() {
            at.note(at.problem("the list is empty"));
        }
        self.pointers(given, at)
    }

    /// A constant, or pointers.
    fn text(self, given: &OneOrMany<Reference>, at: &At) -> Text {
        match given.0.as_slice() {
            [Reference { path: None, value: Some(value), take: None, and: None }]
                if !value.0.is_empty() =>
            {
                Text::Constant(value.0.as_str().into())
            }
            _ => Text::At(self.optional(Some(given), at)),
        }
    }

    /// The same, where nothing may be said.
    fn said(self, given: &OneOrMany<Reference>, at: &At) -> Text {
        if given.0.is_empty() { Text::At(Vec::new()) } else { self.text(given, at) }
    }

    /// The same, where a bare word is a constant.
    fn channel(self, given: &OneOrMany<Reference>, at: &At) -> Text {
        match given.0.as_slice() {
            [Reference { path: Some(word), value: None, take: None, and: None }]
                if !word.is_empty() && !word.starts_with('/') =>
            {
                Text::Constant(word.as_str().into())
            }
            _ => self.text(given, at),
        }
    }

    fn when(self, given: &BTreeMap<String, OneOrMany<Scalar>>, at: &At) -> When {
        let conditions = given.iter().map(|(path, values)| {
            let at = at.under(path);
            if values.0.is_empty() {
                return Err(at.problem("the list is empty; give a value to wait for"));
            }
            let values = values.0.iter().map(|value| value.0.clone()).collect();
            Ok((self.pointer(path, &at)?, values))
        });
        When(at.take_all(conditions))
    }

    fn require(self, given: &[OneOrMany<String>], at: &At) -> Vec<Vec<Pointer>> {
        let groups = given.iter().enumerate().map(|(i, group)| {
            let at = at.element(i);
            if group.0.is_empty() {
                at.note(at.problem("the list is empty; name a pointer that must be present"));
            }
            let paths = group.0.iter().enumerate();
            at.take_all(paths.map(|(i, path)| self.pointer(path, &at.item(i))))
        });
        groups.collect()
    }

    fn identity(
        self,
        given: &BTreeMap<String, OneOrMany<Reference>>,
        own: &OwnFields,
        at: &At,
    ) -> Vec<(RawField, Vec<Choice>)> {
        let fields = given.iter().map(|(name, references)| {
            let field = at.take(raw_field(name, own, at));
            let at = at.under(name);
            if references.0.is_empty() {
                at.note(at.problem("the list is empty; give a pointer, or leave the field out"));
            }
            let references = references.0.iter().enumerate();
            let choices = references.map(|(i, reference)| self.choice(reference, &at.item(i)));
            let choices = at.take_all(choices);
            field.map(|field| (field, choices))
        });
        fields.flatten().collect()
    }

    fn choice(self, reference: &Reference, at: &At) -> Result<Choice> {
        match reference {
            Reference { take: Some(0), .. } => {
                Err(at.under("take").wrong(0, "give at least 1 character"))
            }
            Reference { path: Some(path), value: None, take, and } => {
                let and = and.as_ref().map(|path| self.pointer(path, &at.under("and")));
                let is_table = at.under("path").is_written();
                let path =
                    self.pointer(path, &if is_table { at.under("path") } else { at.clone() });
                Ok(Choice { path: path?, take: *take, and: and.transpose()? })
            }
            _ => Err(at.problem("identity comes from the event: give a pointer, not a constant")),
        }
    }

    fn time(self, settings: &SourceSettings, at: &At) -> Option<TimeRule> {
        let time = settings.occurred_at.as_ref()?;
        let one = |given: &Option<Reference>, default: &str, key: &str| match given {
            Some(reference) => self.channel(&OneOrMany(vec![reference.clone()]), &at.under(key)),
            None => Text::Constant(default.into()),
        };
        let order = one(&time.order, "DMY", "order");
        if let Text::Constant(word) = &order {
            at.take(one_of(word, &[("DMY", ()), ("MDY", ()), ("YMD", ())], &at.under("order")));
        }
        let utc_offset = one(&time.utc_offset, "0", "utc_offset");
        let formats = [
            ("rfc3339", TimeFormat::Rfc3339),
            ("epoch_seconds", TimeFormat::EpochSeconds),
            ("epoch_millis", TimeFormat::EpochMillis),
            ("local", TimeFormat::Local { order, utc_offset }),
        ];
        let word = time.format.as_deref().unwrap_or("rfc3339");
        let format = at.take(one_of(word, &formats, &at.under("format")));
        for (key, given) in [("order", &time.order), ("utc_offset", &time.utc_offset)] {
            if given.is_some() && format.is_some() && word != "local" {
                let at = at.under(key);
                at.note(at.problem("belongs to format = \"local\"; leave it out"));
            }
        }
        let path = at.take(self.pointer(&time.path, &at.under("path")))?;
        Some(TimeRule { path, format: format? })
    }

    fn money(self, given: &OneOrMany<MoneySettings>, kind: MoneyKind, at: &At) -> Vec<MoneyRule> {
        let rules = given.0.iter().enumerate().map(|(i, rule)| {
            let at = at.item(i);
            if let Some(decimals) = rule.decimals.filter(|d| *d > DECIMALS_MAX) {
                let at = at.under("decimals");
                at.note(at.wrong(decimals, format!("give 0 to {DECIMALS_MAX}")));
            }
            MoneyRule {
                kind,
                when: self.when(&rule.when, &at.under("when")),
                amount: self.optional(Some(&rule.amount), &at.under("amount")),
                currency: self.text(&rule.currency, &at.under("currency")),
                decimals: rule.decimals,
            }
        });
        rules.collect()
    }

    fn consent(self, given: &OneOrMany<ConsentSettings>, at: &At) -> Vec<ConsentRule> {
        let rules = given.0.iter().enumerate().map(|(i, rule)| {
            let at = at.item(i);
            let place = at.under("state");
            let state = self.text(&rule.state, &place);
            if let Text::Constant(word) = &state {
                place.take(one_of(word, &[("granted", ()), ("withdrawn", ())], &place));
            }
            ConsentRule {
                when: self.when(&rule.when, &at.under("when")),
                purpose: self.text(&rule.purpose, &at.under("purpose")),
                state,
                channel: self.said(&rule.channel, &at.under("channel")),
                basis: self.said(&rule.basis, &at.under("basis")),
                policy_version: self.said(&rule.policy_version, &at.under("policy_version")),
                source: self.said(&rule.source, &at.under("source")),
            }
        });
        rules.collect()
    }

    fn detail(self, given: &DetailSettings, at: &At) -> DetailRule {
        let of = |given: &OneOrMany<Reference>, key: &str| self.pointers(given, &at.under(key));
        DetailRule {
            category: of(&given.category, "category"),
            campaign: of(&given.campaign, "campaign"),
            sentiment: of(&given.sentiment, "sentiment"),
            product: of(&given.product, "product"),
            items: of(&given.items, "items"),
            reason: of(&given.reason, "reason"),
            resolved: of(&given.resolved, "resolved"),
            language: of(&given.language, "language"),
            country: of(&given.country, "country"),
            timezone: of(&given.timezone, "timezone"),
        }
    }

    fn suppression(self, given: &OneOrMany<SuppressionSettings>, at: &At) -> Vec<SuppressionRule> {
        let words = ContactChannel::ALL.map(|channel| (channel.name(), channel));
        let rules = given.0.iter().enumerate().map(|(i, rule)| {
            let at = at.item(i);
            let place = at.under("channel");
            if rule.channel.0.is_empty() {
                place.note(place.problem("the list is empty; say which way of contact is meant"));
            }
            let channels = rule.channel.0.iter().enumerate();
            let channels = channels.map(|(i, word)| one_of(word, &words, &place.item(i)));
            let mut channels: Vec<ContactChannel> = place.take_all(channels);
            channels.sort_unstable();
            channels.dedup();
            SuppressionRule {
                when: self.when(&rule.when, &at.under("when")),
                channels,
                reason: self.said(&rule.reason, &at.under("reason")),
                state: match rule.lifts {
                    true => SuppressionState::Lifted,
                    false => SuppressionState::Suppressed,
                },
            }
        });
        rules.collect()
    }

    fn erasure(self, given: &OneOrMany<ErasureRequestSettings>, at: &At) -> Vec<When> {
        let rules = given.0.iter().enumerate().map(|(i, rule)| {
            let at = at.item(i).under("when");
            if rule.when.is_empty() {
                at.note(at.problem("is empty, so every event would erase its customer; say which"));
            }
            self.when(&rule.when, &at)
        });
        rules.collect()
    }

    fn month_first(self, settings: &SourceSettings, date_order: DateOrder, at: &At) -> MonthFirst {
        let at = at.under("month_first_when");
        match (&settings.month_first_when, date_order) {
            (None, DateOrder::DayFirst) => MonthFirst::Never,
            (None, DateOrder::MonthFirst) => MonthFirst::Always,
            (Some(_), DateOrder::MonthFirst) => {
                at.note(at.problem("clashes with date_order = \"month_first\"; leave one out"));
                MonthFirst::Always
            }
            (Some(when), DateOrder::DayFirst) => MonthFirst::When(self.when(when, &at)),
        }
    }
}

/// The field that a name in `[source.NAME.identity]` means.
fn raw_field(name: &str, own: &OwnFields, at: &At) -> Result<RawField> {
    if let Some(own) = own.fields.iter().find(|own| own.name == name) {
        return Ok(RawField::Custom(own.custom.field));
    }
    let read: std::result::Result<RawField, serde::de::value::Error> =
        RawField::deserialize(name.into_deserializer());
    read.map_err(|error| {
        if own.declared.iter().any(|declared| declared == name) {
            return at.under(name).echo();
        }
        let own: Vec<&str> = own.fields.iter().map(|own| own.name.as_str()).collect();
        unknown_key(at, &error.to_string(), &own)
    })
}
