//! Which keys are made of values that so many people use that they say nothing?

use crate::record::Field;
use crate::score::{Features, Model, Symbol};

/// By blocking rule, the fields of its key whose values can say nothing by the number of their users.
pub(super) struct Limits(Vec<Vec<Field>>);

impl Limits {
    pub(super) fn new(model: &Model) -> Self {
        let limited = |field: &Field| model.field(*field).limit.is_some();
        let of_rules = model.rules.iter().map(|rule| rule.fields().filter(limited).collect());
        Self(of_rules.collect())
    }

    /// Whether a rule's keys may be of no use.
    pub(super) fn concern(&self, rule: u8) -> bool {
        !self.0[usize::from(rule)].is_empty()
    }

    /// Whether any rule's may.
    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|fields| !fields.is_empty())
    }

    /// Whether a record's key under a rule is made of a value that more people use than its field's limit.
    pub(super) fn silence(
        &self,
        rule: u8,
        features: &Features,
        model: &Model,
        people: impl Fn(Field, Symbol) -> f64,
    ) -> bool {
        self.0[usize::from(rule)].iter().any(|field| {
            let symbol = features.symbol(*field);
            symbol != 0 && model.field(*field).is_over(people(*field, symbol))
        })
    }
}
