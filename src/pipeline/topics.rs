//! How do profiles, and what happened to identities, get from the state to their topics?
//!
//! By a [`Courier`] each. Of profiles, the outbox holds which identities changed; what goes to the topic is their profile
//! as it is when it is sent, or that they are no more, so what stands there last is right, however often it is sent.

use std::time::Duration;

use super::courier::{Courier, Goods, PARCEL_BYTES, Parcel};
use super::publish::profiles_of;
use super::registry::Registry;
use crate::config::TopicsPlan;
use crate::error::{Error, Result};
use crate::profile::{Change, Move, Settings};
use crate::record::IdentityId;
use crate::resolve::Resolver;
use crate::sink::feed::Notice;
use crate::sink::topic::{Delivered, Topic};
use crate::state::{Followed, Forwarded, Place, Said, Store};
use crate::telemetry::{Telemetry, TopicDelayed, TopicDelivered, TopicLeft, TopicResumed};

/// Identities whose profiles are made and sent at once, unless they changed again meanwhile.
const PROFILES_AT_ONCE: usize = 4_096;

/// Messages about identities, as goods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notices(Forwarded);

impl Notices {
    const fn name(self) -> &'static str {
        match self.0 {
            Forwarded::Profiles => "profiles",
            Forwarded::Changes => "changes",
        }
    }
}

impl Goods for Notices {
    type Message = Notice;
    const NAMES: [&'static str; 2] = ["topics", "publish.topics"];

    fn clear(&self, store: &mut Store, places: &[Place], _: u64) -> Result<u64> {
        store.clear_forwarded(self.0, places)
    }

    fn tell_waiting(&self, waiting: u64, to: &Telemetry) {
        to.note(|facts| {
            facts.topics_waiting.insert(self.name(), waiting);
        });
    }

    fn tell_delivered(&self, Delivered { messages, omitted }: Delivered, to: &Telemetry) {
        TopicDelivered { of: self.name(), messages, omitted }.emit(to);
    }

    fn tell_failed(&self, to: &Telemetry) {
        to.topic_failed(self.name());
    }

    fn tell_delayed(&self, retry_in: Duration, error: &Error) {
        TopicDelayed { of: self.name(), retry_in, error }.emit();
    }

    fn tell_resumed(&self, attempts: u32) {
        TopicResumed { of: self.name(), attempts }.emit();
    }

    fn tell_left(&self, waiting: u64) {
        TopicLeft { of: self.name(), waiting }.emit();
    }
}

/// What profiles are made from.
#[derive(Clone, Copy)]
pub(super) struct Present<'a> {
    pub(super) registry: &'a Registry,
    pub(super) resolver: &'a Resolver,
    pub(super) settings: &'a Settings,
}

/// Takes what happens to customers to its topics.
pub(super) struct Topics {
    profiles: Option<Courier<Notices>>,
    changes: Option<Courier<Notices>>,
}

/// Whether each topic has all; `true` where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complete {
    pub(super) profiles: bool,
    pub(super) changes: bool,
}

impl Topics {
    /// Starts for the topics of a plan, which the state follows; does not wait for their brokers.
    ///
    /// **Errors:** `Invalid` where a setting is refused.
    pub(super) fn start(
        plan: &TopicsPlan,
        pipeline: &str,
        store: &Store,
        telemetry: &Telemetry,
    ) -> Result<Self> {
        let start = |what: Forwarded, topic: &Option<String>| {
            let Some(topic) = topic else { return Ok(None) };
            let topic = customer_topic(plan, topic, pipeline);
            Courier::start(Notices(what), topic, store.forwarded(what), telemetry).map(Some)
        };
        Ok(Self {
            profiles: start(Forwarded::Profiles, &plan.profiles)?,
            changes: start(Forwarded::Changes, &plan.changes)?,
        })
    }

    /// Clears what was delivered, and hands over what is next; does not wait.
    pub(super) fn turn(&mut self, store: &mut Store, present: Present<'_>) -> Result<()> {
        if let Some(changes) = &mut self.changes {
            changes.set_waiting(store.forwarded(Forwarded::Changes));
            changes.turn(store, load_changes)?;
        }
        if let Some(profiles) = &mut self.profiles {
            profiles.set_waiting(store.forwarded(Forwarded::Profiles));
            profiles.turn(store, |store, after| load_profiles(store, after, present))?;
        }
        Ok(())
    }

    /// Delivers what waits, as long as `goes_on` says so.
    pub(super) fn drain(
        &mut self,
        store: &mut Store,
        present: Present<'_>,
        goes_on: impl Fn() -> bool,
    ) -> Result<Complete> {
        let mut complete = Complete { profiles: true, changes: true };
        if let Some(profiles) = &mut self.profiles {
            profiles.set_waiting(store.forwarded(Forwarded::Profiles));
            let load = |store: &Store, after: Option<Place>| load_profiles(store, after, present);
            complete.profiles = profiles.drain(store, load, &goes_on)?;
        }
        if let Some(changes) = &mut self.changes {
            changes.set_waiting(store.forwarded(Forwarded::Changes));
            complete.changes = changes.drain(store, load_changes, &goes_on)?;
        }
        Ok(complete)
    }
}

/// A topic of a plan.
pub(super) fn customer_topic(plan: &TopicsPlan, topic: &str, pipeline: &str) -> Topic {
    Topic::new(&plan.brokers, topic, &plan.options.0, pipeline)
}

/// Which topics a state is to follow.
pub(super) fn followed(plan: Option<&TopicsPlan>) -> Followed {
    let name = |topic: &String| plan.map(|plan| format!("{} {topic}", plan.brokers));
    Followed {
        profiles: plan.and_then(|plan| plan.profiles.as_ref()).and_then(name),
        changes: plan.and_then(|plan| plan.changes.as_ref()).and_then(name),
    }
}

/// The next profiles behind a place, each once, as they are now.
fn load_profiles(
    store: &Store,
    after: Option<Place>,
    present: Present<'_>,
) -> Result<Parcel<Notice>> {
    let view = store.view();
    let waiting = view.profiles_waiting(after, PROFILES_AT_ONCE)?;
    let rows = waiting.rows.len() as u64;
    let mut identities = waiting.rows;
    identities.sort_unstable();
    identities.dedup();
    let is_live = |id: &IdentityId| !present.registry.members(id).is_empty();
    let (live, gone): (Vec<IdentityId>, Vec<IdentityId>) =
        identities.into_iter().partition(is_live);
    let epoch = view.sequence();
    let mut messages = Notice::profiles(&profiles_of(&view, present, &live, epoch)?, epoch)?;
    messages.extend(gone.iter().map(|id| Notice::gone(id, epoch)));
    Ok(Parcel { messages, places: waiting.places, rows })
}

/// The next changes behind a place.
fn load_changes(store: &Store, after: Option<Place>) -> Result<Parcel<Notice>> {
    // As JSON they are some times as large.
    let waiting = store.view().changes_waiting(after, PARCEL_BYTES / 4)?;
    let rows = waiting.rows.len() as u64;
    let mut messages = Vec::with_capacity(waiting.rows.len());
    let is_same =
        |left: &Said, right: &Said| std::mem::discriminant(left) == std::mem::discriminant(right);
    for some in waiting.rows.chunk_by(is_same) {
        let (mut changes, mut moves): (Vec<Change>, Vec<Move>) = (Vec::new(), Vec::new());
        for said in some {
            match said {
                Said::Identity(change) => changes.push(change.clone()),
                Said::Record(row) => moves.push(row.clone()),
            }
        }
        messages.extend(Notice::changes(&changes)?);
        messages.extend(Notice::moves(&moves)?);
    }
    Ok(Parcel { messages, places: waiting.places, rows })
}

#[cfg(test)]
mod tests;
