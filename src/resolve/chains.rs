//! Under which chains of keys does a record stand?

use crate::block::{Chain, Components, chains};
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
    let values = Field::ALL.map(|field| terms.value(features, field));
    let tokens = features.tokens.iter().map(|token| terms.text(*token));
    chains(&Components::of(values, tokens), &model.rules)
}
