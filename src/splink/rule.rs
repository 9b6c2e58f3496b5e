//! Which of our blocking rules are Splink's?

use serde_json::Value;

use super::level::beginning;
use super::sql::{Expr, Op, parse};
use super::{Importer, short};
use crate::block::{self, Part, RULES_MAX, Rule};
use crate::record::Field;
use crate::score::{FieldModel, Level};

/// What narrows a key that too many records share, where its fields are compared.
const REFINE: [Part; 3] =
    [Part::Beginning(Field::Given, 1), Part::Beginning(Field::Surname, 1), Part::Year];

impl Importer {
    /// Takes the blocking rules over; where none maps, the built-in ones whose fields are compared.
    pub(super) fn rules(&mut self, given: &[Value]) {
        for (index, value) in given.iter().enumerate() {
            let text = value.as_str().or_else(|| value.get("blocking_rule")?.as_str());
            let exploded = value.get("arrays_to_explode").is_some_and(|arrays| !arrays.is_null());
            let Some(text) = text.filter(|_| !exploded) else {
                let why = if exploded { "it explodes arrays" } else { "it is not written as SQL" };
                self.note(false, format!("blocking rule {}: left out: {why}", index + 1));
                continue;
            };
            let name = format!("blocking rule {} ({})", index + 1, short(text));
            match parse(text) {
                // Any of several keys is several rules.
                Ok(Expr::Or(parts)) => {
                    for (number, part) in parts.iter().enumerate() {
                        self.rule(&format!("{name}, part {}", number + 1), part);
                    }
                }
                Ok(expr) => self.rule(&name, &expr),
                Err(why) => self.note(false, format!("{name}: left out: {why}")),
            }
        }
        if self.model.rules.is_empty() {
            let is_used = |field: Field| self.model.field(field).is_used();
            let mut rules = block::built_in();
            rules.retain(|rule| rule.fields().all(is_used));
            if rules.is_empty() {
                let first = self.model.used().next().map(|field| field.field);
                rules.extend(first.map(|field| Rule {
                    name: field.name().to_owned(),
                    key: vec![Part::Value(field)],
                    refine: Vec::new(),
                }));
            }
            let text = format!("blocking rules: none maps: {} built-in ones are used", rules.len());
            self.model.rules = rules;
            self.note(false, text);
        }
    }

    fn rule(&mut self, name: &str, expr: &Expr) {
        let conditions = match expr {
            Expr::And(parts) => parts.clone(),
            expr => vec![expr.clone()],
        };
        let mut key = Vec::new();
        let mut dropped = Vec::new();
        for condition in &conditions {
            match self.part(condition) {
                Ok(part) if key.contains(&part) => {}
                Ok(part) => key.push(part),
                Err(why) => dropped.push(why),
            }
        }
        if key.is_empty() || self.model.rules.len() >= RULES_MAX {
            let why = dropped.first().map_or("there are too many", String::as_str);
            return self.note(false, format!("{name}: left out: {why}"));
        }
        let text: Vec<String> = key.iter().map(|part| self.shown(*part)).collect();
        let known = |field: &Field| key.contains(&Part::Value(*field));
        let wanted = |part: &Part| {
            part.fields().iter().all(|field| self.model.field(*field).is_used() && !known(field))
        };
        let refine = REFINE.into_iter().filter(wanted).collect();
        let names: Vec<&str> = text.iter().map(String::as_str).collect();
        self.model.rules.push(Rule { name: names.join(" and "), key: key.clone(), refine });
        self.note(true, format!("{name} -> {}", names.join(", ")));
        for why in dropped {
            self.note(
                false,
                format!("  a condition of it is left out, so that it is wider: {why}"),
            );
        }
    }

    /// A part with the name that its field has.
    fn shown(&self, part: Part) -> String {
        match part {
            Part::Value(field) => self.model.field(field).name().to_owned(),
            Part::Beginning(field, length) => {
                format!("{}:{length}", self.model.field(field).name())
            }
            part => part.to_string(),
        }
    }

    /// The part of a key that both records must have the same.
    fn part(&mut self, condition: &Expr) -> Result<Part, String> {
        let Expr::Binary(Op::Equal, left, right) = condition else {
            return Err("a key wants equal values".into());
        };
        let (left, right) = (beginning(left)?, beginning(right)?);
        if left.0 != right.0 || left.2 != right.2 {
            return Err("a key is made of the same part of one column in both records".into());
        }
        if left.1 == right.1 {
            return Err("it looks at one record only".into());
        }
        let (column, _, length) = left;
        let field = self.columns.field(std::slice::from_ref(&column), &[])?;
        if !self.model.field(field).is_used() {
            self.model.fields[field as usize] = key_only(field, self.columns.name(field));
            let name = self.model.field(field).name().to_owned();
            let kind = self.columns.kind(field);
            let declared = kind.map_or_else(String::new, |kind| {
                format!("; in the pipeline: [match.field.{name}] kind = \"{kind}\"")
            });
            self.note(true, format!("column {column} -> {name}: in keys only{declared}"));
        }
        let Some(length) = length else { return Ok(Part::Value(field)) };
        // Dates are written there as 1999-12-31 and here as 19991231.
        let length = match (field, length) {
            (Field::BirthDate, 5..=7) => length - 1,
            (Field::BirthDate, 8..) => length - 2,
            _ => length,
        };
        u8::try_from(length).map(|length| Part::Beginning(field, length)).map_err(|e| e.to_string())
    }
}

/// A field that makes keys and says nothing.
fn key_only(field: Field, name: Option<String>) -> FieldModel {
    FieldModel {
        name,
        levels: vec![Level::Exact, Level::Otherwise],
        m: vec![0.5; 2],
        u: vec![0.5; 2],
        household_share: 1.0,
        ..FieldModel::unused(field)
    }
}
