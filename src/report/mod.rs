//! How do people see a model, or what a result got wrong?
//!
//! Pages of HTML that stand alone: no script, no font and no picture from elsewhere, so that they
//! can be mailed, archived and opened without a network; and short tables for a terminal. Data in,
//! text out: whoever asks writes the file.
//!
//! **Invariant:** a value becomes markup only through [`html::Html::text`], which escapes it.

mod assessment;
mod case;
mod curve;
mod html;
mod model;
mod model_table;
mod subject;
#[cfg(test)]
mod tests;

pub use assessment::{Heading, assessment_page};
pub use case::{Case, CaseRecord, Decisive, Line, cases_text};
pub use curve::CurvePoint;
pub use html::grouped;
pub use model::{model_page, model_page_with_curve};
pub use model_table::model_table;
pub use subject::{Section, subject_page};
