//! What does an event say about what may be done with its customer?

use super::{Text, When, at_text, name, said};
use crate::record::{Consent, ConsentState, ContactChannel, Suppression, SuppressionState};
use crate::source::Fault;
use crate::source::json::Json;

/// Which events change a consent, and where its parts stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRule {
    /// Which events it holds for.
    pub when: When,
    /// What the consent is for.
    pub purpose: Text,
    /// `granted` or `withdrawn`.
    pub state: Text,
    /// The way of contact that it is for; where nothing is said, all.
    pub channel: Text,
    /// The legal basis, where it is said.
    pub basis: Text,
    /// The version of the policy, where it is said.
    pub policy_version: Text,
    /// How it was said; where nothing says, the source's name.
    pub source: Text,
}

/// After which events an address must not be used any more, or may be again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionRule {
    /// Which events it holds for.
    pub when: When,
    /// The ways of contact, ascending.
    pub channels: Vec<ContactChannel>,
    /// Why; where nothing says, the event's type.
    pub reason: Text,
    /// Whether it begins or ends.
    pub state: SuppressionState,
}

impl ConsentRule {
    /// A consent that cannot be read must not be lost: it makes the event a dead letter.
    pub(super) fn read(&self, root: &Json<'_>, source: &str) -> Result<Consent, Fault> {
        let purpose = name(&self.purpose, &at_text(&self.purpose, root)?)?.to_owned();
        let state = match &*at_text(&self.state, root)? {
            "granted" => ConsentState::Granted,
            "withdrawn" => ConsentState::Withdrawn,
            _ => return Err(Fault::wrong_type(&self.state, "`granted` or `withdrawn`")),
        };
        Ok(Consent {
            purpose,
            channel: text(&self.channel, root)?.map(|channel| channel.to_lowercase()),
            state,
            basis: text(&self.basis, root)?,
            policy_version: text(&self.policy_version, root)?,
            source: text(&self.source, root)?.unwrap_or_else(|| source.to_owned()),
        })
    }
}

impl SuppressionRule {
    pub(super) fn read(&self, root: &Json<'_>, kind: &str) -> Result<Suppression, Fault> {
        Ok(Suppression {
            channels: self.channels.clone(),
            state: self.state,
            reason: text(&self.reason, root)?.unwrap_or_else(|| kind.to_owned()),
        })
    }
}

/// A text that may be missing.
fn text(text: &Text, root: &Json<'_>) -> Result<Option<String>, Fault> {
    match text {
        Text::Constant(value) => Ok(Some((**value).to_owned())),
        Text::At(paths) => said(paths, root),
    }
}
