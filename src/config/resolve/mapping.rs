//! The declared meanings of one source, compiled.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IntoDeserializer;

use super::matching::NamedField;
use super::{one_of, size};
use crate::config::problem::{At, unknown_key};
use crate::config::settings::{ConsentSettings, LimitSettings, MoneySettings, SourceSettings};
use crate::config::value::{OneOrMany, Reference, Scalar};
use crate::error::Result;
use crate::normalise::DateOrder;
use crate::record::{MoneyKind, RawField};
use crate::source::{
    Choice, ConsentRule, Limits, Mapping, MoneyRule, MonthFirst, Pointer, Text, TimeFormat,
    TimeRule, When,
};

/// The parser itself gives up at 128.
const DEPTH_MAX: usize = 100;

/// What an amount of 64 bits can bear.
const DECIMALS_MAX: u8 = 6;

/// Compiles the mapping of a source; `flat` where its rows have no values within values.
pub(super) fn mapping(
    name: &str,
    settings: &SourceSettings,
    date_order: DateOrder,
    flat: bool,
    custom: &[NamedField],
    at: &At,
) -> Result<Mapping> {
    let compile = Compile { flat };
    let record_id = compile.optional(settings.record_id.as_ref(), &at.under("record_id"))?;
    let event_id = compile.optional(settings.event_id.as_ref(), &at.under("event_id"))?;
    let keyed = !record_id.is_empty();
    if event_id.is_empty() && !keyed {
        let remedy = "is missing; give a pointer, or `record_id` where rows have keys";
        return Err(at.under("event_id").problem(remedy));
    }
    let kind = match &settings.r#type {
        Some(given) => compile.text(given, &at.under("type"))?,
        None if keyed => Text::Constant("row".into()),
        None => {
            let remedy = "is missing; give a pointer, or a constant as { value = \"...\" }";
            return Err(at.under("type").problem(remedy));
        }
    };
    let channel = match &settings.channel {
        Some(given) => compile.channel(given, &at.under("channel"))?,
        None => Text::Constant(name.into()),
    };
    if settings.occurred_at.is_none() && !keyed {
        let remedy = "is missing; give { path = \"...\", format = \"...\" }";
        return Err(at.under("occurred_at").problem(remedy));
    }
    if settings.identity.is_empty() {
        let remedy = "is missing; say at least one thing by which a customer is known";
        return Err(at.under("identity").problem(remedy));
    }
    let detail = at.under("detail");
    let mut money =
        compile.money(&settings.purchase, MoneyKind::Purchase, &at.under("purchase"))?;
    money.extend(compile.money(&settings.r#return, MoneyKind::Return, &at.under("return"))?);
    Ok(Mapping {
        channel,
        event_id,
        record_id,
        kind,
        occurred_at: compile.time(settings, &at.under("occurred_at"))?,
        require: compile.require(&settings.require, &at.under("require"))?,
        identity: compile.identity(&settings.identity, custom, &at.under("identity"))?,
        money,
        consent: compile.consent(&settings.consent, &at.under("consent"))?,
        category: compile.pointers(&settings.detail.category, &detail.under("category"))?,
        campaign: compile.pointers(&settings.detail.campaign, &detail.under("campaign"))?,
        sentiment: compile.pointers(&settings.detail.sentiment, &detail.under("sentiment"))?,
        month_first: compile.month_first(settings, date_order, at)?,
        limits: limits(&settings.limits, &at.under("limits"))?,
    })
}

fn limits(settings: &LimitSettings, at: &At) -> Result<Limits> {
    let default = Limits::default();
    let bytes = |given: &Option<String>, default: usize, name: &str| match given {
        Some(text) => {
            let at = at.under(name);
            let bytes = size(Some(text), "", &at)?;
            usize::try_from(bytes).map_err(|_| at.wrong(text, "is more than can be addressed"))
        }
        None => Ok(default),
    };
    let depth = settings.depth.unwrap_or(default.depth);
    if !(1..=DEPTH_MAX).contains(&depth) {
        return Err(at.under("depth").wrong(depth, format!("give 1 to {DEPTH_MAX}")));
    }
    let members = settings.members.unwrap_or(default.members);
    if members == 0 {
        return Err(at.under("members").wrong(members, "give at least 1"));
    }
    Ok(Limits {
        payload: bytes(&settings.payload, default.payload, "payload")?,
        depth,
        text: bytes(&settings.text, default.text, "text")?,
        members,
    })
}

/// Compiles references of one source.
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
    fn pointers(self, given: &OneOrMany<Reference>, at: &At) -> Result<Vec<Pointer>> {
        let pointers = given.0.iter().map(|reference| match reference {
            Reference { path: Some(path), value: None, take: None, and: None } => {
                self.pointer(path, at)
            }
            _ => Err(at.problem("give a pointer or a list of pointers, nothing else")),
        });
        pointers.collect()
    }

    fn optional(self, given: Option<&OneOrMany<Reference>>, at: &At) -> Result<Vec<Pointer>> {
        match given {
            Some(given) if given.0.is_empty() => Err(at.problem("the list is empty")),
            Some(given) => self.pointers(given, at),
            None => Ok(Vec::new()),
        }
    }

    /// A constant, or pointers.
    fn text(self, given: &OneOrMany<Reference>, at: &At) -> Result<Text> {
        match given.0.as_slice() {
            [] => Err(at.problem("the list is empty")),
            [Reference { path: None, value: Some(value), take: None, and: None }]
                if !value.0.is_empty() =>
            {
                Ok(Text::Constant(value.0.as_str().into()))
            }
            _ => self.pointers(given, at).map(Text::At),
        }
    }

    /// The same, where a bare word is a constant.
    fn channel(self, given: &OneOrMany<Reference>, at: &At) -> Result<Text> {
        match given.0.as_slice() {
            [Reference { path: Some(word), value: None, take: None, and: None }]
                if !word.is_empty() && !word.starts_with('/') =>
            {
                Ok(Text::Constant(word.as_str().into()))
            }
            _ => self.text(given, at),
        }
    }

    fn when(self, given: &BTreeMap<String, OneOrMany<Scalar>>, at: &At) -> Result<When> {
        let conditions = given.iter().map(|(path, values)| {
            if values.0.is_empty() {
                return Err(at.under(path).problem("the list is empty; give a value to wait for"));
            }
            let values = values.0.iter().map(|value| value.0.clone()).collect();
            Ok((self.pointer(path, at)?, values))
        });
        conditions.collect::<Result<_>>().map(When)
    }

    fn require(self, given: &[OneOrMany<String>], at: &At) -> Result<Vec<Vec<Pointer>>> {
        let groups = given.iter().enumerate().map(|(i, group)| {
            let at = at.element(i);
            if group.0.is_empty() {
                return Err(at.problem("the list is empty; name a pointer that must be present"));
            }
            group.0.iter().map(|path| self.pointer(path, &at)).collect()
        });
        groups.collect()
    }

    fn identity(
        self,
        given: &BTreeMap<String, OneOrMany<Reference>>,
        custom: &[NamedField],
        at: &At,
    ) -> Result<Vec<(RawField, Vec<Choice>)>> {
        let fields = given.iter().map(|(name, references)| {
            let field = raw_field(name, custom, at)?;
            let at = at.under(name);
            if references.0.is_empty() {
                return Err(at.problem("the list is empty; give a pointer, or leave the field out"));
            }
            let choices = references.0.iter().map(|reference| match reference {
                Reference { take: Some(0), .. } => {
                    Err(at.under("take").wrong(0, "give at least 1 character"))
                }
                Reference { path: Some(path), value: None, take, and } => {
                    let and = and.as_ref().map(|path| self.pointer(path, &at.under("and")));
                    Ok(Choice {
                        path: self.pointer(path, &at)?,
                        take: *take,
                        and: and.transpose()?,
                    })
                }
                _ => {
                    Err(at.problem("identity comes from the event: give a pointer, not a constant"))
                }
            });
            Ok((field, choices.collect::<Result<_>>()?))
        });
        fields.collect()
    }

    fn time(self, settings: &SourceSettings, at: &At) -> Result<Option<TimeRule>> {
        let Some(time) = &settings.occurred_at else { return Ok(None) };
        let constant = |text: &str| Text::Constant(text.into());
        let one = |given: &Option<Reference>, default: &str, key: &str| match given {
            Some(reference) => self.channel(&OneOrMany(vec![reference.clone()]), &at.under(key)),
            None => Ok(constant(default)),
        };
        let order = one(&time.order, "DMY", "order")?;
        if let Text::Constant(word) = &order {
            one_of(word, &[("DMY", ()), ("MDY", ()), ("YMD", ())], &at.under("order"))?;
        }
        let utc_offset = one(&time.utc_offset, "0", "utc_offset")?;
        let formats = [
            ("rfc3339", TimeFormat::Rfc3339),
            ("epoch_seconds", TimeFormat::EpochSeconds),
            ("epoch_millis", TimeFormat::EpochMillis),
            ("local", TimeFormat::Local { order, utc_offset }),
        ];
        let word = time.format.as_deref().unwrap_or("rfc3339");
        let format = one_of(word, &formats, &at.under("format"))?;
        for (key, given) in [("order", &time.order), ("utc_offset", &time.utc_offset)] {
            if given.is_some() && word != "local" {
                return Err(at.under(key).problem("belongs to format = \"local\"; leave it out"));
            }
        }
        Ok(Some(TimeRule { path: self.pointer(&time.path, &at.under("path"))?, format }))
    }

    fn money(
        self,
        given: &OneOrMany<MoneySettings>,
        kind: MoneyKind,
        at: &At,
    ) -> Result<Vec<MoneyRule>> {
        let rules = given.0.iter().map(|rule| {
            if let Some(decimals) = rule.decimals.filter(|d| *d > DECIMALS_MAX) {
                let remedy = format!("give 0 to {DECIMALS_MAX}");
                return Err(at.under("decimals").wrong(decimals, remedy));
            }
            let amount = self.optional(Some(&rule.amount), &at.under("amount"))?;
            Ok(MoneyRule {
                kind,
                when: self.when(&rule.when, &at.under("when"))?,
                amount,
                currency: self.text(&rule.currency, &at.under("currency"))?,
                decimals: rule.decimals,
            })
        });
        rules.collect()
    }

    fn consent(self, given: &OneOrMany<ConsentSettings>, at: &At) -> Result<Vec<ConsentRule>> {
        let rules = given.0.iter().map(|rule| {
            let state = self.text(&rule.state, &at.under("state"))?;
            if let Text::Constant(word) = &state {
                one_of(word, &[("granted", ()), ("withdrawn", ())], &at.under("state"))?;
            }
            Ok(ConsentRule {
                when: self.when(&rule.when, &at.under("when"))?,
                purpose: self.text(&rule.purpose, &at.under("purpose"))?,
                state,
            })
        });
        rules.collect()
    }

    fn month_first(
        self,
        settings: &SourceSettings,
        date_order: DateOrder,
        at: &At,
    ) -> Result<MonthFirst> {
        let at = at.under("month_first_when");
        match (&settings.month_first_when, date_order) {
            (None, DateOrder::DayFirst) => Ok(MonthFirst::Never),
            (None, DateOrder::MonthFirst) => Ok(MonthFirst::Always),
            (Some(_), DateOrder::MonthFirst) => {
                Err(at.problem("clashes with date_order = \"month_first\"; leave one out"))
            }
            (Some(when), DateOrder::DayFirst) => self.when(when, &at).map(MonthFirst::When),
        }
    }
}

/// The field that a name in `[source.NAME.identity]` means.
fn raw_field(name: &str, custom: &[NamedField], at: &At) -> Result<RawField> {
    if let Some(own) = custom.iter().find(|own| own.name == name) {
        return Ok(RawField::Custom(own.custom.field));
    }
    let read: Result<RawField, serde::de::value::Error> =
        RawField::deserialize(name.into_deserializer());
    read.map_err(|error| {
        let own: Vec<&str> = custom.iter().map(|own| own.name.as_str()).collect();
        unknown_key(at, &error.to_string(), &own)
    })
}
