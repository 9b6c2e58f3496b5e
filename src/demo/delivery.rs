//! How does an event reach its channel: late, twice, broken?

use super::fields::{Fields, Json};
use super::noise::Noise;
use super::time::{DAY, HOUR, iso_utc};
use super::{Channel, Line, Malformation, Malformed};

/// The share of lines that are broken.
const MALFORMED_RATE: f64 = 0.001;
/// The share of events that arrive late, at noise 1.
const LATE_RATE: f64 = 0.02;
/// The share of events that arrive twice.
const REDELIVERED_RATE: f64 = 0.012;

/// What has been sent so far.
#[derive(Default)]
pub(super) struct Delivery {
    lines: Vec<Line>,
    pub(super) truth: Vec<(String, String)>,
    pub(super) malformed: Vec<Malformed>,
    pub(super) redelivered: usize,
}

/// An event of a person, ready to be sent.
pub(super) struct Draft<'a> {
    pub(super) channel: Channel,
    pub(super) person: &'a str,
    pub(super) fields: Fields,
    /// When it is sent.
    pub(super) sent: i64,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    Whole,
    Broken,
}

impl Delivery {
    pub(super) fn send(&mut self, draft: Draft<'_>, noise: &mut Noise) -> Delivered {
        let event_id = noise.rng.hex(24);
        let mut arrival = draft.sent;
        if noise.slips(LATE_RATE) {
            let days_max = if noise.rng.chance(0.95) { 7 } else { 30 };
            arrival += noise.rng.below_skewed((days_max * DAY) as usize) as i64;
        }
        let mut event = Fields::default();
        event.set("event_id", event_id.as_str());
        event.set("channel", draft.channel.name());
        event.extend(draft.fields);
        event.set("received_at", iso_utc(arrival));

        let channel = draft.channel;
        if noise.rng.chance(MALFORMED_RATE) {
            let kind = *noise.rng.pick(&Malformation::ALL);
            let text = broken(&event, kind, noise);
            self.lines.push(Line { channel, arrival, event_id: event_id.clone(), text });
            self.malformed.push(Malformed { channel, event_id, kind });
            return Delivered::Broken;
        }
        self.truth.push((event_id.clone(), draft.person.to_owned()));
        let text = event.line();
        self.lines.push(Line { channel, arrival, event_id: event_id.clone(), text });
        if noise.rng.chance(REDELIVERED_RATE) {
            let arrival = arrival + 50 + (noise.rng.unit() * 3.0 * HOUR as f64) as i64;
            event.set("received_at", iso_utc(arrival));
            self.lines.push(Line { channel, arrival, event_id, text: event.line() });
            self.redelivered += 1;
        }
        Delivered::Whole
    }

    /// The lines in order of arrival; those that arrive together, as they were made.
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.sort_by_key(|line| line.arrival);
        lines
    }
}

fn broken(event: &Fields, kind: Malformation, noise: &mut Noise) -> String {
    let line = event.line();
    let mut event = event.clone();
    match kind {
        Malformation::Truncated => {
            let length = line.len() as f64 * (0.2 + 0.7 * noise.rng.unit());
            return line[..line.floor_char_boundary(length as usize)].to_owned();
        }
        Malformation::NotJson => {
            let middle: String = line.chars().skip(5).take(35).collect();
            return format!("<<{}\\x00", middle.replace('"', "'"));
        }
        Malformation::EmptyObject => return "{}".to_owned(),
        Malformation::NoEventId => event.retain(|name| name != "event_id"),
        Malformation::BadTimestamp => {
            let times: [Json; 5] = [
                "yesterday".into(),
                "".into(),
                Json::Null,
                "2025-13-45T99:00:00Z".into(),
                (-1).into(),
            ];
            event.set("ts", noise.rng.pick(&times).clone());
        }
        Malformation::WrongType => {
            event.set("type", 7);
            event.set("channel", Json::List(vec!["?".into()]));
        }
        Malformation::NoIdentifier => {
            let common = ["event_id", "channel", "type", "ts", "received_at"];
            event.retain(|name| common.contains(&name));
        }
    }
    event.line()
}
