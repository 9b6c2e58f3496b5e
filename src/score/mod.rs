//! Does what two records say speak for one person or against it, and how strongly?
//!
//! `features of two records → a level per field → bits per field → match weight`
//!
//! Fellegi–Sunter match weights in bits over ordered comparison levels ([`Level`]), with three refinements:
//! an exact agreement on an identifier weighs by how many people use it ([`Model::shared_bits`]); e-mails that
//! are only alike weigh what the names do not already say ([`EmailParts`]); and beside *match* and *stranger* there is
//! a third class, *household mate*, who shares surname, address and phone ([`Model::posterior`]).
//!
//! **Invariants:** pure; symmetric, `compare(a, b) == compare(b, a)` to the bit, which is what independence of order hangs on;
//! a missing value says nothing (0 bits). No field is derived from another one that is scored.

mod built_in;
mod change;
mod distance;
mod email;
mod evidence;
mod features;
mod field;
mod frequencies;
mod level;
mod memo;
mod model;
mod sieve;
mod similarity;
mod tokens;

pub use built_in::comparison;
pub use change::{Changes, FieldChange, ONE_PER_SOURCE};
pub use email::EmailParts;
pub use evidence::{Evidence, Levels, Scorer};
pub use features::{Features, Symbol, Terms};
pub use field::{Exclusive, FieldModel};
pub use frequencies::Frequencies;
pub use level::Level;
pub use memo::Memo;
pub use model::{EmailModel, Expected, Model, Parameters, Training};
pub use sieve::Sieve;
