//! Messages: is what is read of one what stands there, and is the rest a dead letter?

use std::sync::OnceLock;

use bytes::Bytes;
use onefold::config;
use onefold::normalise;
use onefold::record::{DeadLetter, Event, MoneyKind, Origin, RawField, Reason};
use onefold::source::{Limits, Message, SourcePlan};
use serde_json::Value;

/// Two sources of one meaning: one with small limits, so that short inputs reach them.
const PLAIN: &str = r#"
name = "fuzz"

[source.large]
files = "x"
channel = "c"
event_id = "/id"
type = { value = "t" }
occurred_at = { path = "/at", format = "rfc3339" }
[source.large.identity]
email = "/e"
phone = ["/p/0", "/p/n"]

[source.small]
files = "y"
channel = "c"
event_id = "/id"
type = { value = "t" }
occurred_at = { path = "/at", format = "rfc3339" }
[source.small.identity]
email = "/e"
phone = ["/p/0", "/p/n"]
[source.small.limits]
payload = "200B"
text = "12B"
depth = 3
members = 4

[state]
path = "state"
[publish]
url = "out"
"#;

/// The pipelines that are shipped, whose sources are those of [`mapping`].
const SHIPPED: [&str; 4] = [
    include_str!("../../pipelines/events.toml"),
    include_str!("../../pipelines/events-kafka.toml"),
    include_str!("../../pipelines/organisations.toml"),
    include_str!("../../pipelines/people.toml"),
];

fn sources(texts: &[&str]) -> Vec<SourcePlan> {
    let variable = |_: &str| Some("x".to_owned());
    let plan = |text: &&str| {
        config::parse(text, "fuzz.toml", &variable).expect("what is shipped is a pipeline file")
    };
    texts.iter().map(plan).flat_map(|plan| plan.sources).collect()
}

fn message(bytes: &[u8]) -> Message {
    let origin = Origin { source: "s".into(), partition: "p".into(), offset: 7 };
    Message { origin, payload: Bytes::copy_from_slice(bytes), fault: None, envelope: None }
}

/// A payload is read as serde_json reads it, within the limits.
pub fn decode(bytes: &[u8]) {
    static PLANS: OnceLock<Vec<SourcePlan>> = OnceLock::new();
    let truth = serde_json::from_slice::<Value>(bytes).ok();
    for source in PLANS.get_or_init(|| sources(&[PLAIN])) {
        let limits = &source.mapping.limits;
        match read(source, bytes) {
            Ok(event) => {
                let truth = truth.as_ref().expect("an event was read of what is not JSON");
                assert!(fits(truth, limits, 0), "an event is over the limits");
                let at = |pointer: &str| truth.pointer(pointer).and_then(said);
                let is = |field: RawField| event.identity.get(&field).cloned();
                assert_eq!(truth["id"].as_str(), Some(&*event.event_id));
                assert_eq!(is(RawField::Email), at("/e"), "the e-mail address");
                assert_eq!(is(RawField::Phone), at("/p/0").or_else(|| at("/p/n")), "the phone");
            }
            Err(letter) => refused(&letter, bytes, truth.as_ref(), limits),
        }
    }
}

/// A dead letter says what is wrong.
fn refused(letter: &DeadLetter, bytes: &[u8], truth: Option<&Value>, limits: &Limits) {
    match letter.reason {
        Reason::Malformed if letter.detail.starts_with("not JSON") => {
            assert_eq!(truth, None, "JSON is malformed");
            if let Some(at) = letter.detail.rsplit_once("byte ").map(|(_, at)| at) {
                let at: usize = at.parse().expect("a number");
                assert!(at <= bytes.len(), "an error behind the end");
            }
        }
        Reason::Malformed => assert!(truth.is_some_and(|truth| !truth.is_object())),
        // Members of one name count each, but only the last is known afterwards.
        Reason::TooLarge => {}
        _ => {
            let truth = truth.expect("a field was looked for in what is not JSON");
            assert!(truth.is_object() && fits(truth, limits, 0), "over the limits");
        }
    }
}

fn fits(value: &Value, limits: &Limits, depth: usize) -> bool {
    match value {
        Value::String(text) => text.len() <= limits.text,
        Value::Array(list) => {
            depth < limits.depth
                && list.len() <= limits.members
                && list.iter().all(|element| fits(element, limits, depth + 1))
        }
        Value::Object(members) => {
            depth < limits.depth
                && members.len() <= limits.members
                && members.iter().all(|(name, value)| {
                    name.len() <= limits.text && fits(value, limits, depth + 1)
                })
        }
        _ => true,
    }
}

/// What a value says, as a field of identity.
fn said(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
        _ => return None,
    };
    let nothing = text.trim();
    (!nothing.is_empty() && !nothing.eq_ignore_ascii_case("n/a")).then_some(text)
}

/// The first byte names a source of the pipelines that are shipped, the rest is its payload.
pub fn mapping(bytes: &[u8]) {
    static PLANS: OnceLock<Vec<SourcePlan>> = OnceLock::new();
    let plans = PLANS.get_or_init(|| sources(&SHIPPED));
    let Some((which, payload)) = bytes.split_first() else { return };
    let source = &plans[usize::from(*which) % plans.len()];
    if let Ok(event) = read(source, payload) {
        let normalised = normalise::identity(&event.identity, &source.normalise);
        let key = normalised.identity.record_key(event.key());
        let again = normalise::identity(&event.identity, &source.normalise);
        assert_eq!(key, again.identity.record_key(event.key()));
    }
}

/// Reads a payload, and looks at what must hold of every event and every dead letter.
fn read(source: &SourcePlan, bytes: &[u8]) -> Result<Event, Box<DeadLetter>> {
    let message = message(bytes);
    let read = source.mapping.read(&message);
    assert_eq!(read, source.mapping.read(&message), "read again");
    match &read {
        Ok(event) => sound(event, &source.mapping.limits),
        Err(letter) => {
            assert_eq!(letter.payload, message.payload);
            assert_eq!(letter.origin, message.origin);
            assert!(!letter.detail.is_empty() && letter.detail.len() < 500, "{}", letter.detail);
            assert!(letter.detail.is_ascii(), "a detail that holds a value");
        }
    }
    read
}

fn sound(event: &Event, limits: &Limits) {
    assert!(!event.event_id.is_empty() && event.event_id.len() <= limits.text + 65);
    for (field, value) in &event.identity {
        assert!(!value.trim().is_empty(), "{field:?} is blank");
        // Two values may be joined by a comma.
        assert!(value.len() <= 2 * limits.text + 1, "{field:?} is over the limit of a text");
    }
    let details = &event.details;
    if let Some(money) = &details.money {
        assert!(
            money.currency.len() == 3 && money.currency.bytes().all(|b| b.is_ascii_uppercase())
        );
        assert!(money.kind != MoneyKind::Return || money.minor >= 0, "a return below nothing");
    }
    assert!(details.sentiment_milli.is_none_or(|mood| (-1000..=1000).contains(&mood)));
    assert!(event.occurred_at >= 0, "a time before the epoch");
}
