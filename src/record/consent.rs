//! What does an event say about what may be done with its customer?

use serde::{Deserialize, Serialize};

/// One change of consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// What it is for, e.g. `marketing_email`.
    pub purpose: String,
    /// The way of contact that it is for; `None` for all.
    pub channel: Option<String>,
    /// What was said.
    pub state: ConsentState,
    /// The legal basis, e.g. `consent` or `legitimate_interest`.
    pub basis: Option<String>,
    /// The version of the policy that was shown.
    pub policy_version: Option<String>,
    /// How it was said, e.g. `paper_form`; where nothing says, the source's name.
    pub source: String,
}

/// A state of consent; the greater is the stricter, and wins between two of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum ConsentState {
    Granted,
    Withdrawn,
}

impl ConsentState {
    /// The name in events and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A way to reach a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ContactChannel {
    Email,
    Sms,
    Phone,
    Post,
}

impl ContactChannel {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Email, Self::Sms, Self::Phone, Self::Post];

    /// The name in pipeline files, events and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Phone => "phone",
            Self::Post => "post",
        }
    }
}

/// That an address must not be used any more, e.g. since it bounced; or that it may be again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// The ways of contact that it is about, ascending.
    pub channels: Vec<ContactChannel>,
    /// Whether it begins or ends.
    pub state: SuppressionState,
    /// Why, e.g. `bounce`.
    pub reason: String,
}

/// Whether an address is suppressed; the greater is the stricter, and wins between two of the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SuppressionState {
    Lifted,
    Suppressed,
}
