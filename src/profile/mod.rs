//! Members in, one profile out: what is known of a customer?
//!
//! [`Facts`] are what the events of one record node said; they form a fold that is commutative, associative and
//! idempotent once events are counted once. A [`Profile`] is the fold of its members' facts plus
//! survivorship over their values, so that merge, split and erasure are exact: nothing is ever
//! subtracted.

mod facts;
mod row;
mod survivorship;

pub use facts::{Activity, ConsentFact, Facts, MoneyKey, MoneySum, Seen};
pub use row::{
    Change, ChangeKind, ConsentRow, Interaction, Mapping, MoneyRow, Profile, SourceId, Value,
    ValueAddress,
};
pub use survivorship::{Member, profile};
