//! Why do records belong together or not, and in which steps did they come together?
//!
//! ```text
//! records, model, counts of the whole set ─ Weighing ─┬─ Pair      what two records say
//!                                                     ├─ Step      how a cluster was built
//!                                                     └─ Between   what two clusters say together
//! Why, WhyNot, How: with the keys that brought records together ─ as text, as JSON
//! ```
//!
//! Nothing is decided here: the same functions weigh that the matcher weighs with, and what depends
//! on all records together (how many people use an identifier, which blocks are over their cap) is
//! handed in as data.
//!
//! **Invariants:** pure. The bits of a [`Pair`] and of a [`Between`] add up to their weight, prior
//! and household discount included. Agglomerating the members of one cluster alone gives the merges
//! that the whole component's agglomeration made among them, for merges elsewhere touch neither
//! their groups nor what those say to one another.

mod answer;
mod evidence;
mod keys;
mod pair;
mod step;
#[cfg(test)]
mod tests;
mod text;
mod waterfall;
mod weighing;

use std::fmt::Display;
use std::sync::Arc;

use serde::{Serialize, Serializer};

pub use answer::{How, Link, Verdict, Why, WhyNot};
pub use evidence::{EvidenceRow, FieldEvidence};
pub use keys::{Meeting, Outcome, meetings};
pub use pair::{FieldTerm, Pair, Part, PartKind, Sum};
pub use step::{Between, GroupTerm, Step};
pub use weighing::Weighing;

use crate::record::{Field, Identity, IdentityId, RecordKey};
use crate::score::Model;

/// A record, as an explanation shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordView {
    /// Its key.
    #[serde(serialize_with = "as_text")]
    pub record: RecordKey,
    /// The source of its earliest event.
    pub source: Arc<str>,
    /// The source's own row key; `None` for records made of events.
    pub record_id: Option<String>,
    /// What it is matched by.
    #[serde(skip)]
    pub identity: Identity,
    /// The same by the names that the model gives the fields; further name tokens as `name_tokens`.
    #[serde(rename = "identity", serialize_with = "as_map")]
    pub values: Vec<(String, String)>,
    /// The identity it belongs to.
    #[serde(serialize_with = "as_optional_text")]
    pub belongs_to: Option<IdentityId>,
}

fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_texts<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn as_optional_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

fn as_map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// A record's values by the names that a model gives the fields, its further name tokens last.
pub fn named_values(identity: &Identity, model: &Model) -> Vec<(String, String)> {
    let name = |(field, value): &(Field, Box<str>)| {
        (model.field(*field).name().to_owned(), value.to_string())
    };
    let values = identity.values.iter().map(name);
    let tokens = identity.name_tokens.join(" ");
    let tokens = (!tokens.is_empty()).then(|| ("name_tokens".to_owned(), tokens));
    values.chain(tokens).collect()
}
