//! Members in, one profile out: what is known of a customer?
//!
//! [`Facts`] are what the events of one record node said; they form a fold that is commutative, associative and
//! idempotent once events are counted once. A [`Profile`] is the fold of its members' facts plus
//! survivorship over their values, so that merge, split and erasure are exact: nothing is ever
//! subtracted.

pub mod consent;
mod facts;
mod handles;
mod household;
mod row;
mod settings;
mod survivorship;
pub mod tally;
mod values;

pub use consent::{ConsentFact, ConsentKey, Contact, Reach, SuppressionFact, suppressed};
pub use facts::Facts;
pub use handles::{Collect, Handles, Person, Sought, lookup_keys};
pub use row::{
    ActivityRow, Cause, Change, ChangeKind, ConsentRow, Interaction, Mapping, MoneyRow, Move,
    OtherValue, Profile, Quality, ReasonRow, SourceId, Suppressed, Touches, Traits, Value,
    ValueAddress,
};
pub use settings::{Rule, Settings, Survivorship};
pub use survivorship::{Member, profile};
pub use tally::{
    Activity, MoneyKey, MoneySum, ReasonSum, Seen, Tally, Touch, Trait, first_day, month,
};
