//! Members in, one profile out: what is known of a customer?
//!
//! [`Facts`] are what the events of one record node said; they form a fold that is commutative, associative and
//! idempotent once events are counted once. A [`Profile`] is the fold of its members' facts plus
//! survivorship over their values, so that merge, split and erasure are exact: nothing is ever
//! subtracted.

pub mod consent;
mod facts;
mod row;
mod settings;
mod survivorship;

pub use consent::{ConsentFact, ConsentKey, Contact, Reach, SuppressionFact, suppressed};
pub use facts::{Activity, Facts, MoneyKey, MoneySum, Seen};
pub use row::{
    Change, ChangeKind, ConsentRow, Interaction, Mapping, MoneyRow, Profile, SourceId, Suppressed,
    Value, ValueAddress,
};
pub use settings::Settings;
pub use survivorship::{Member, profile};
