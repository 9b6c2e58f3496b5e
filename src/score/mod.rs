//! Does what two records say speak for one person or against it, and how strongly?
//!
//! `features of two records → a level per field → bits per field → match weight`
//!
//! Fellegi–Sunter match weights in bits over ordered comparison levels ([`fn@comparison`]), with three refinements:
//! an exact agreement on an identifier weighs by how many people use it ([`Model::shared_bits`]); e-mails that
//! are only alike weigh what the names do not already say ([`EmailParts`]); and beside *match* and *stranger* there is
//! a third class, *household mate*, who shares surname, address and phone ([`Model::posterior`]).
//!
//! **Invariants:** pure; symmetric, `compare(a, b) == compare(b, a)` to the bit, which is what independence of order hangs on;
//! a missing value says nothing (0 bits). No field is derived from another one that is scored.

mod comparison;
mod email;
mod evidence;
mod features;
mod model;
mod similarity;

pub use comparison::{Level, SWAPPABLE, comparison};
pub use email::EmailParts;
pub use evidence::{Evidence, Levels, compare, levels, weigh};
pub use features::{Features, Symbol, Terms};
pub use model::{EmailModel, FieldModel, Model, Parameters};
