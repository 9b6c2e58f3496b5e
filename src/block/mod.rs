//! Which pairs are worth comparing?
//!
//! `record → blocking keys → blocks → candidate pairs`
//!
//! Each [`Rule`], a piece of data of the model, makes keys out of a record's content alone. A block of more records
//! than its cap is replaced by sub-blocks on further components, so a key is a chain of up to four refinements; two
//! records are a candidate pair when they share a key, on whatever depth, whose block is within the cap. That depends
//! on the set of records only, never on their order. A block that is over its cap at the deepest refinement is a stop
//! key: it identifies nobody, and its pairs meet under other keys or not at all.
//!
//! **Not here:** who is in which block; that changes with the set (see `resolve`).

mod components;
mod part;
mod rule;

pub use components::Components;
pub use part::Part;
pub use rule::{Chain, DEPTH, Key, RULES_MAX, Rule, built_in, chains, chains_under};
