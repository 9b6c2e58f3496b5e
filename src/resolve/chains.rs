//! Under which chains of keys does a record stand?

use crate::block::{Chain, Components, chains, chains_under};
use crate::record::{Field, Identity};
use crate::score::{Features, Model, Terms};

/// The key chains of a content.
pub fn chains_of(identity: &Identity, model: &Model) -> Vec<Chain> {
    let identity = model.completed(identity);
    let value = |field| identity.value(field).filter(|value| model.hears(field, value));
    let tokens = identity.name_tokens.iter().map(|token| &**token);
    chains(&Components::of(Field::ALL.map(value), tokens), &model.rules)
}

/// The key chains of a content that is interned.
pub(super) fn chains_again(terms: &Terms, features: &Features, model: &Model) -> Vec<Chain> {
    chains(&components(terms, features), &model.rules)
}

/// Those of them under one rule.
pub(super) fn chains_again_under(
    rule: u8,
    terms: &Terms,
    features: &Features,
    model: &Model,
) -> Vec<Chain> {
    let index = usize::from(rule);
    chains_under(&components(terms, features), &model.rules[index], index).collect()
}

fn components<'a>(terms: &'a Terms, features: &'a Features) -> Components<'a> {
    let values = Field::ALL.map(|field| terms.value(features, field));
    Components::of(values, features.tokens.iter().map(|token| terms.text(*token)))
}
