//! Who belongs together?
//!
//! `edges → connected components → (over the cap: split at higher weights) → agglomeration by field evidence → clusters`
//!
//! Inside a component all pairs are weighed, not only the candidates, and groups are compared by what their fields
//! say together: the best pair counts a share, the mean of all pairs the rest. Without labels that beats connected
//! components and average linkage alike. The partition is a function of the component's set of records alone:
//! records are ordered by their keys, and ties go to the lowest. So merges that are known serve again where few
//! records changed ([`replay`]). What people judged of its records comes before all evidence ([`Constraints`]).
//!
//! [`assign`] then gives clusters durable identities; [`Difference`] says what became of them.

mod agglomerate;
mod component;
mod constraint;
mod difference;
mod groups;
mod identity;
mod replay;
mod said;

pub use agglomerate::{Agglomeration, By, Merge, agglomerate, agglomerate_down_to, groups};
pub use component::{JUDGED_BITS, JUDGED_LEVEL, Level, level, split, split_all};
pub use constraint::Constraints;
pub use difference::{
    Difference, Flow, IdentityCounts, Membership, Move, PairCounts, RecordCounts, carry,
};
pub use identity::{Assignment, Former, Origin, assign};
pub use replay::{Known, replay};
pub use said::Said;
