//! For how long is an event recognised when it is delivered again?

use std::sync::Arc;
use std::time::Duration;

use super::batch::Prepared;
use crate::error::Result;
use crate::record::{DeadLetter, Event, Micros, Reason};
use crate::source::Message;
use crate::state::{Commit, LatestTimes, Store};

/// The window of a job that does not remember events for ever.
///
/// It is one of event time and of each source: it ends with the latest event of the source. An event
/// from before it may have counted already, nobody knows; so it goes to the dead letters, and
/// whatever counts, counts once.
pub(super) struct Window {
    span: Micros,
    latest: LatestTimes,
}

impl Window {
    /// The window as the state has it.
    pub(super) fn open(span: Duration, store: &Store) -> Result<Self> {
        let span = Micros::try_from(span.as_micros()).unwrap_or(Micros::MAX);
        Ok(Self { span, latest: store.view().latest_times()? })
    }

    fn is_before(&self, event: &Event) -> bool {
        let latest = self.latest.get(&event.origin.source);
        latest.is_some_and(|latest| event.occurred_at < latest.saturating_sub(self.span))
    }

    /// Notes the events of a commit, and how far they bring the window.
    pub(super) fn note(&mut self, commit: &mut Commit) {
        for event in &commit.interactions {
            let latest = self.latest.entry(Arc::clone(&event.source)).or_insert(event.occurred_at);
            *latest = (*latest).max(event.occurred_at);
            let expiring = (Arc::clone(&event.source), event.occurred_at, event.event_key);
            commit.expiring.push(expiring);
        }
        commit.latest_times.clone_from(&self.latest);
    }

    /// Forgets what happened before the window; returns how many events.
    pub(super) fn forget(&self, store: &mut Store) -> Result<u64> {
        let begins = self.latest.iter();
        let begins = begins.map(|(source, at)| (Arc::clone(source), at.saturating_sub(self.span)));
        store.forget_events(&begins.collect())
    }
}

/// Leaves out what needs no second look, and makes dead letters of events that are not known and happened before the
/// window. `again` says of each message whether it was read before: an event is known by its id then, but a dead letter
/// has only its place.
pub(super) fn sift(
    window: Option<&Window>,
    prepared: Vec<Result<Prepared, Box<DeadLetter>>>,
    messages: &[Message],
    again: &[bool],
    store: &Store,
) -> Result<Vec<Result<Prepared, Box<DeadLetter>>>> {
    let mut sifted = Vec::with_capacity(prepared.len());
    for ((prepared, message), again) in prepared.into_iter().zip(messages).zip(again) {
        let prepared = match (prepared, window) {
            (Ok(prepared), Some(window))
                if window.is_before(&prepared.event) && !is_known(&prepared, store)? =>
            {
                Err(Box::new(too_late(message)))
            }
            (prepared, _) => prepared,
        };
        if !again || prepared.is_ok() {
            sifted.push(prepared);
        }
    }
    Ok(sifted)
}

fn is_known(prepared: &Prepared, store: &Store) -> Result<bool> {
    Ok(store.events_seen(&[prepared.key])? == [true])
}

fn too_late(message: &Message) -> DeadLetter {
    DeadLetter {
        origin: message.origin.clone(),
        reason: Reason::TooLate,
        detail: "older than state.event_window allows: it may have counted already".into(),
        payload: message.payload.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use super::super::tests::{BULK, plan_of, run};
    use crate::config::Plan;
    use crate::state::{Counters, Options, Store};

    const PIPELINE: &str = r#"
        name = "shop"
        [source.web]
        files = "${EVENTS_DIR}/*.jsonl"
        event_id = "/id"
        type = { value = "visit" }
        occurred_at = { path = "/at", format = "epoch_seconds" }
        identity = { email = "/email" }
        [state]
        path = "${STATE}"
        event_window = "30d"
        [publish]
        url = "${OUT}"
        [match]
        expected_customers = 1000
    "#;

    /// Writes a file of events, each named after the day on which it happened.
    fn write(folder: &Path, name: &str, days: impl IntoIterator<Item = u32>) {
        let mut lines = String::new();
        for day in days {
            let at = 1_700_000_000 + 86_400 * day;
            writeln!(lines, r#"{{"id":"e{day}","at":{at},"email":"p{day}@example.com"}}"#).unwrap();
        }
        fs::write(folder.join(name), lines).unwrap();
    }

    fn counted(plan: &Plan) -> [u64; 4] {
        let report = run(plan, BULK, u64::MAX);
        let Counters { read, resolved, duplicate, dead_lettered } = report.counters;
        assert!(report.counters.reconciles());
        [read, resolved, duplicate, dead_lettered]
    }

    /// How many events would be recognised.
    fn known(plan: &Plan) -> u64 {
        Store::open(&plan.state.path, &Options::default()).unwrap().verify().unwrap().events
    }

    #[test]
    fn within_the_window_an_event_counts_once_and_before_it_nobody_guesses() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan_of(PIPELINE, folder.path(), folder.path(), 2);
        write(folder.path(), "a.jsonl", [0, 40]);
        assert_eq!(counted(&plan), [2, 2, 0, 0]);
        assert_eq!(known(&plan), 1, "the first is forgotten");
        // Delivered again: in the window, and before it. And one that comes late, but not too late.
        write(folder.path(), "b.jsonl", [40, 0, 20]);
        assert_eq!(counted(&plan), [5, 3, 1, 1]);
        write(folder.path(), "c.jsonl", [20, 40, 9]);
        assert_eq!(counted(&plan), [8, 3, 3, 2]);
        assert_eq!(known(&plan), 2);
    }

    #[test]
    fn the_window_takes_no_more_disk_than_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan_of(PIPELINE, folder.path(), folder.path(), 50);
        for year in 0..3 {
            write(folder.path(), &format!("{year}.jsonl"), year * 400..(year + 1) * 400);
            counted(&plan);
            // The days of the window, the one at its end included.
            assert_eq!(known(&plan), 31);
        }
    }

    #[test]
    fn a_shorter_window_than_a_day_is_refused() {
        let text = PIPELINE.replace("30d", "23h");
        let env = |_: &str| Some("x".to_owned());
        let refused = crate::config::parse(&text, "shop.toml", &env).unwrap_err();
        assert!(refused.to_string().contains("state.event_window"), "{refused}");
    }
}
