//! `[match]` as written in: when are two records one customer, and which fields of one's own are there?

use std::collections::BTreeMap;

use super::one_of;
use crate::block::{Part, RULES_MAX, Rule};
use crate::config::plan::{MatchPlan, OperatingPoint};
use crate::config::problem::{At, Result, nearest};
use crate::config::settings::{MatchSettings, RuleSettings};
use crate::normalise::{self, Custom, DateOrder, Kind};
use crate::record::{Field, RawField, RawIdentity};
use crate::score::{Changes, FieldChange, Model, ONE_PER_SOURCE};

/// The fields that a pipeline file declares.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnFields {
    pub(super) fields: Vec<NamedField>,
    /// All names that are declared, also where something is wrong with the field.
    pub(super) declared: Vec<String>,
    /// The field that tells the sources that hold each customer once.
    pub(super) one_per_source: Option<Field>,
}

/// A field of one's own.
#[derive(Clone, Debug)]
pub(super) struct NamedField {
    pub(super) name: String,
    pub(super) custom: Custom,
}

impl OwnFields {
    /// The field that a name means, built-in or of one's own.
    fn field(&self, name: &str) -> Option<Field> {
        let own = self.fields.iter().find(|own| own.name == name);
        let custom = own.map(|own| own.custom.field);
        custom.or_else(|| Field::of_name(name).filter(|field| !field.is_custom()))
    }

    fn names(&self) -> Vec<&str> {
        let built_in = Field::ALL.iter().filter(|field| !field.is_custom());
        let own = self.fields.iter().map(|own| own.name.as_str());
        built_in.map(|field| field.name()).chain(own).collect()
    }
}

/// Resolves `[match]`; `one_per_customer` where a source holds each customer once.
pub(super) fn plan(
    settings: &MatchSettings,
    one_per_customer: bool,
    at: &At,
) -> (OwnFields, MatchPlan) {
    if settings.threshold_bits.is_some() && settings.operating_point.is_some() {
        at.note(at.problem("give `threshold_bits` or `operating_point`, not both"));
    }
    if let Some(bits) = settings.threshold_bits.filter(|bits| !(-64.0..=64.0).contains(bits)) {
        let at = at.under("threshold_bits");
        at.note(at.wrong(bits, "log-odds in bits, from -64 to 64"));
    }
    if settings.expected_customers == Some(0) {
        let at = at.under("expected_customers");
        at.note(at.wrong(0, "give at least 1"));
    }
    let point = settings.operating_point.as_deref().and_then(|name| {
        let points = [
            ("precise", OperatingPoint::Precise),
            ("balanced", OperatingPoint::Balanced),
            ("broad", OperatingPoint::Broad),
        ];
        let at = at.under("operating_point");
        at.take(one_of(name, &points, &at))
    });
    let cap = |given: Option<usize>, default, name| {
        let at = at.under(name);
        if let Some(cap) = given.filter(|cap| *cap < 2) {
            at.note(at.wrong(cap, "give at least 2"));
        }
        given.unwrap_or(default)
    };
    let path = |given: &Option<String>| {
        given.as_deref().filter(|path| !path.trim().is_empty()).map(Into::into)
    };
    let own = own_fields(&settings.field, one_per_customer, &at.under("field"));
    let plan = MatchPlan {
        model: path(&settings.model),
        judgements: path(&settings.judgements),
        expected_customers: settings.expected_customers,
        threshold_bits: settings.threshold_bits,
        operating_point: point,
        block_cap: cap(settings.block_cap, 150, "block_cap"),
        component_cap: cap(settings.component_cap, 400, "component_cap"),
        changes: changes(settings, &own, at),
    };
    (own, plan)
}

/// Whether a name is of a field of one's own.
fn is_own(name: &str) -> bool {
    Field::of_name(name).is_none_or(Field::is_custom)
}

/// Gives the fields of one's own their slots: those they ask for, the others in the order of their names.
fn own_fields(given: &BTreeMap<String, FieldChange>, one_per_customer: bool, at: &At) -> OwnFields {
    let mut free = Field::CUSTOM.to_vec();
    let mut slots = BTreeMap::new();
    for (name, change) in given.iter().filter(|(name, _)| is_own(name)) {
        let Some(slot) = change.slot else { continue };
        let field = usize::from(slot).checked_sub(1).and_then(|index| Field::CUSTOM.get(index));
        let at = at.under(name).under("slot");
        match field {
            None => at.note(at.wrong(slot, "give 1 to 8")),
            Some(field) if !free.contains(field) => {
                at.note(at.wrong(slot, "another field has it; give each its own"));
            }
            Some(field) => {
                free.retain(|other| other != field);
                slots.insert(name.as_str(), *field);
            }
        }
    }
    let declared = given.keys().cloned().collect();
    let mut own = OwnFields { declared, ..OwnFields::default() };
    free.reverse();
    for (name, change) in given {
        let at = at.under(name);
        let custom = custom_field(name, change, &own, &at).and_then(|kind| {
            let Some(kind) = kind else { return Ok(None) };
            let field = slots.get(name.as_str()).copied().or_else(|| free.pop());
            let remedy = "there can be 8 fields of your own, not more";
            Ok(Some(Custom { field: field.ok_or_else(|| at.problem(remedy))?, kind }))
        });
        let named = |custom| NamedField { name: name.clone(), custom };
        own.fields.extend(at.take(custom).flatten().map(named));
    }
    if one_per_customer {
        // The last one, so that fields of one's own stay where they are when a source is declared so.
        own.one_per_source = free.first().copied();
        if free.is_empty() {
            let remedy = "there can be 8 fields of your own, and one of them is taken where a source is \
                          `one_per_customer`";
            at.note(at.problem(remedy));
        }
    }
    own
}

/// What the values of a field of one's own are; `None` for a built-in one.
fn custom_field(
    name: &str,
    change: &FieldChange,
    own: &OwnFields,
    at: &At,
) -> Result<Option<Kind>> {
    if !is_own(name) {
        if change.kind.is_some() || change.slot.is_some() {
            return Err(at.problem("is built in; `kind` and `slot` are for fields of your own"));
        }
        return Ok(None);
    }
    check_name(name, at)?;
    let names = own.names();
    change.kind.map(Some).ok_or_else(|| {
        at.problem(match nearest(name, &names) {
            Some(near) => format!("no built-in field; did you mean `{near}`?"),
            None => "a field of your own needs a `kind`, such as \"text\" or \"identifier\"".into(),
        })
    })
}

fn check_name(name: &str, at: &At) -> Result<()> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let raw = serde_json::from_value::<RawField>(name.into()).is_ok();
    let taken = raw || name == ONE_PER_SOURCE || Field::of_name(name).is_some();
    if taken || name.parse::<Part>().is_ok() {
        return Err(at.problem("the name has a meaning of its own; choose another"));
    }
    if name.is_empty() || name.len() > 40 || !name.chars().all(legal) {
        return Err(at.problem("a field's name is made of small letters, digits and `_`"));
    }
    Ok(())
}

/// What the file changes of the model. Each change is tried on the built-in one, so that a mistake is told with its key.
fn changes(settings: &MatchSettings, own: &OwnFields, at: &At) -> Changes {
    let model = Model::default_with(1.0);
    let mut changes = Changes { one_per_source: own.one_per_source, ..Changes::default() };
    for (name, change) in &settings.field {
        let at = at.under("field").under(name);
        // What is wrong with a field that is not there has been told.
        let Some(field) = own.field(name) else { continue };
        let kind = own.fields.iter().find(|own| own.custom.field == field).map(|own| own.custom);
        let mut change = change.clone();
        change.blocked = blocked(&change.blocked, field, kind, &at.under("blocked"));
        let entry = (field, field.is_custom().then(|| name.clone()), change);
        let alone = Changes { fields: vec![entry.clone()], ..Changes::default() };
        match model.clone().changed(&alone) {
            Ok(_) => changes.fields.push(entry),
            Err(error) => {
                let text = error.to_string();
                let prefix = format!("field.{name}: ");
                at.note(at.problem_in_words(text.strip_prefix(&prefix).unwrap_or(&text)));
            }
        }
    }
    for (index, rule) in settings.rule.iter().enumerate() {
        let at = at.under("rule").element(index);
        changes.rules.extend(at.take(blocking_rule(rule, own, &at)));
    }
    let rules = changes.rules.len() + model.rules.len() + Field::CUSTOM.len();
    if rules > RULES_MAX {
        let at = at.under("rule");
        at.note(at.problem(format!("there can be {RULES_MAX} rules, not more")));
        return changes;
    }
    changes.without_rules.clone_from(&settings.without_rules);
    // A model file may have further rules.
    if settings.model.as_deref().is_none_or(|path| path.trim().is_empty())
        && let Err(error) = model.changed(&changes)
    {
        let text = error.to_string();
        match text.strip_prefix("without_rules: ") {
            Some(rest) => {
                let at = at.under("without_rules");
                at.note(at.problem_in_words(rest));
            }
            None => at.note(at.problem_in_words(&text)),
        }
    }
    changes
}

/// The blocked values as they are compared.
fn blocked(
    given: &BTreeMap<String, String>,
    field: Field,
    custom: Option<Custom>,
    at: &At,
) -> BTreeMap<String, String> {
    let mut blocked = BTreeMap::new();
    for (value, reason) in given {
        if value.trim().is_empty() || reason.trim().is_empty() {
            let at = at.under(value);
            at.note(at.problem("give a value, and the reason why it says nothing"));
        }
        // What normalises to nothing says nothing already.
        if let Some(value) = as_compared(value, field, custom) {
            blocked.insert(value, reason.clone());
        }
    }
    blocked
}

fn as_compared(value: &str, field: Field, custom: Option<Custom>) -> Option<String> {
    if let Some(Custom { kind, .. }) = custom {
        return kind.value(value, DateOrder::default()).ok();
    }
    let raw_field = match field {
        Field::Given => RawField::GivenName,
        Field::Street2 => RawField::AddressLine2,
        // The others have one name on both sides.
        field => serde_json::from_value(field.name().into()).ok()?,
    };
    let raw = RawIdentity::from([(raw_field, value.to_owned())]);
    let normalised = normalise::identity(&raw, &normalise::Settings::default());
    normalised.identity.value(field).map(str::to_owned)
}

fn blocking_rule(settings: &RuleSettings, own: &OwnFields, at: &At) -> Result<Rule> {
    let parts = |given: &[String], key: &str| {
        let at = at.under(key);
        let parts = given.iter().enumerate().map(|(i, text)| part(text, own, &at.item(i)));
        let parts = at.take_all(parts);
        // What is wrong with a part has been told.
        if parts.len() == given.len() { Ok(parts) } else { Err(at.echo()) }
    };
    let (key, refine) = (parts(&settings.key.0, "key"), parts(&settings.refine.0, "refine"));
    let rule = Rule { name: settings.name.clone(), key: key?, refine: refine? };
    match rule.problem() {
        Some(problem) => Err(at.problem(problem)),
        None => Ok(rule),
    }
}

fn part(text: &str, own: &OwnFields, at: &At) -> Result<Part> {
    let known = |name: &str| own.field(name).ok_or_else(String::new);
    Part::read(text, known).map_err(|problem| {
        if !problem.is_empty() {
            return at.wrong(text, problem);
        }
        let mut names = own.names();
        names.extend_from_slice(&Part::names());
        if own.declared.iter().any(|name| text.split(':').next() == Some(name)) {
            return at.echo();
        }
        let stem = text.split(':').next().unwrap_or(text);
        match nearest(stem, &names) {
            Some(near) => at.wrong(text, format!("no part of a key; did you mean `{near}`?")),
            None => at.wrong(text, format!("no part of a key; use {}", names.join(", "))),
        }
    })
}
