//! A message in, an event out: where in this source's payload does each meaning stand?
//!
//! A [`Mapping`] is the compiled form of `[source.NAME]`. [`Mapping::read`] parses the payload
//! once, borrows from it, and copies only what the event keeps. What cannot be read is a dead
//! letter whose detail names pointers, never values.

mod consent;
mod decimal;
mod detail;
mod money;
mod time;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

pub use consent::{ConsentRule, SuppressionRule};
pub use detail::DetailRule;
pub use money::MoneyRule;
pub use time::{TimeFormat, TimeRule};

use super::json::{self, Json, Limits, Pointer};
use super::{Fault, Message};
use crate::record::{DeadLetter, Details, Event, EventKey, RawField, RawIdentity, Reason};

/// The longest name: an event's id and type, a row's key, a category, what a consent is for. Rows of
/// tables and facts are made of them by the thousand, so they may not be as long as any text.
const NAME_BYTES_MAX: usize = 1 << 10;

/// What the payloads of one source mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The channel.
    pub channel: Text,
    /// The event id, the first that is present; none for keyed rows, whose events are named after
    /// key and content.
    pub event_id: Vec<Pointer>,
    /// The source's own row key, the first that is present; none where events are not rows.
    pub record_id: Vec<Pointer>,
    /// The event type.
    pub kind: Text,
    /// The event time; `None` for keyed rows without one, which then are of time 0.
    pub occurred_at: Option<TimeRule>,
    /// Of each group, one must be present.
    pub require: Vec<Vec<Pointer>>,
    /// Who the event speaks of: for each field, the first of these that says something.
    pub identity: Vec<(RawField, Vec<Choice>)>,
    /// Money; the first rule that holds counts.
    pub money: Vec<MoneyRule>,
    /// Consent; the first rule that holds counts.
    pub consent: Vec<ConsentRule>,
    /// Addresses that must not be used any more; the first rule that holds counts.
    pub suppression: Vec<SuppressionRule>,
    /// Which events ask that their customer be forgotten: those for which one of these holds.
    pub erasure: Vec<When>,
    /// What else the event tells.
    pub detail: DetailRule,
    /// Which events write a date's month before its day.
    pub month_first: MonthFirst,
    /// What is too large to be read.
    pub limits: Limits,
}

/// A text that is the same for all events of a source, or stands in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The same for all.
    Constant(Arc<str>),
    /// Where it stands, the first that is present.
    At(Vec<Pointer>),
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(_) => f.write_str("the constant"),
            Self::At(paths) => write_paths(f, paths),
        }
    }
}

/// Where a value of identity may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it stands.
    pub path: Pointer,
    /// How many of its first characters count; `None` for all.
    pub take: Option<usize>,
    /// A second value that belongs to it, and follows after a comma.
    pub and: Option<Pointer>,
}

/// A condition on an event: at each pointer stands one of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When(pub Vec<(Pointer, Vec<String>)>);

impl When {
    fn holds(&self, root: &Json<'_>) -> bool {
        self.0.iter().all(|(path, values)| {
            let text = path.find(root).and_then(|value| match value {
                Json::Bool(true) => Some(Cow::Borrowed("true")),
                Json::Bool(false) => Some(Cow::Borrowed("false")),
                other => other.scalar(),
            });
            text.is_some_and(|text| values.iter().any(|value| *value == text))
        })
    }
}

/// Which events write a date's month before its day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MonthFirst {
    /// None.
    #[default]
    Never,
    /// All.
    Always,
    /// Those for which this holds.
    When(When),
}

impl Mapping {
    /// Reads a message as an event, or says why it cannot be used.
    pub fn read(&self, message: &Message) -> Result<Event, Box<DeadLetter>> {
        self.event(message).map_err(|Fault { reason, detail }| {
            let (origin, payload) = (message.origin.clone(), message.payload.clone());
            let envelope = message.envelope.clone();
            Box::new(DeadLetter { origin, reason, detail, payload, envelope })
        })
    }

    fn event(&self, message: &Message) -> Result<Event, Fault> {
        if let Some(fault) = &message.fault {
            return Err(fault.clone());
        }
        let root = json::parse(&message.payload, &self.limits)?;
        if !matches!(root, Json::Object(_)) {
            let detail = "expected a JSON object".to_owned();
            return Err(Fault { reason: Reason::Malformed, detail });
        }
        let record_id = self.record_id(&root)?;
        let event_id = self.event_id(&root, record_id.as_deref(), &message.payload)?;
        let kind = shared_text(&self.kind, &root)?;
        let details = self.details(&root, &message.origin.source, &kind)?;
        let channel = shared_text(&self.channel, &root)?;
        let occurred_at = self.occurred_at.as_ref().map_or(Ok(0), |rule| rule.read(&root))?;
        for group in &self.require {
            first(group, &root).ok_or_else(|| Fault::missing(&Paths(group)))?;
        }
        Ok(Event {
            origin: message.origin.clone(),
            event_id,
            record_id,
            channel,
            kind,
            occurred_at,
            month_first: match &self.month_first {
                MonthFirst::Never => false,
                MonthFirst::Always => true,
                MonthFirst::When(when) => when.holds(&root),
            },
            identity: self.identity(&root),
            details,
            asks_erasure: self.erasure.iter().any(|when| when.holds(&root)),
        })
    }

    fn record_id(&self, root: &Json<'_>) -> Result<Option<String>, Fault> {
        if self.record_id.is_empty() {
            return Ok(None);
        }
        let (path, value) = first_filled(&self.record_id, root)
            .ok_or_else(|| Fault::missing(&Paths(&self.record_id)))?;
        // Row keys are whole numbers in many databases.
        let text = value.scalar().ok_or_else(|| Fault::wrong_type(path, "a text or a number"))?;
        Ok(Some(name(path, &text)?.to_owned()))
    }

    fn event_id(
        &self,
        root: &Json<'_>,
        record_id: Option<&str>,
        payload: &[u8],
    ) -> Result<String, Fault> {
        match (self.event_id.as_slice(), record_id) {
            ([], Some(key)) => Ok(format!("{key}#{}", EventKey::hash([payload]))),
            (paths, _) => text_at(paths, root).map(str::to_owned),
        }
    }

    fn identity(&self, root: &Json<'_>) -> RawIdentity {
        let values = self.identity.iter().filter_map(|(field, choices)| {
            let value = choices.iter().find_map(|choice| choice.read(root))?;
            Some((*field, value))
        });
        values.collect()
    }

    fn details(&self, root: &Json<'_>, source: &str, kind: &str) -> Result<Details, Fault> {
        let mut details = self.detail.read(root)?;
        for rule in &self.money {
            if let Some(money) = rule.read(root)? {
                details.money = Some(money);
                break;
            }
        }
        if let Some(rule) = self.consent.iter().find(|rule| rule.when.holds(root)) {
            details.consent = Some(rule.read(root, source)?);
        }
        if let Some(rule) = self.suppression.iter().find(|rule| rule.when.holds(root)) {
            details.suppression = Some(rule.read(root, kind)?);
        }
        Ok(details)
    }
}

impl Choice {
    fn read(&self, root: &Json<'_>) -> Option<String> {
        let text = self.path.find(root)?.scalar()?;
        if is_nothing(&text) {
            return None;
        }
        let text = match self.take {
            Some(count) => text.chars().take(count).collect(),
            None => text.into_owned(),
        };
        let Some(and) = &self.and else { return Some(text) };
        let other = and.find(root)?.scalar()?;
        (!is_nothing(&other)).then(|| format!("{text},{other}"))
    }
}

/// Several pointers of which one is meant.
struct Paths<'p>(&'p [Pointer]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_paths(f, self.0)
    }
}

fn write_paths(f: &mut fmt::Formatter<'_>, paths: &[Pointer]) -> fmt::Result {
    for (i, path) in paths.iter().enumerate() {
        write!(f, "{}{path}", if i == 0 { "" } else { " or " })?;
    }
    Ok(())
}

/// The first value that is present.
fn first<'p, 'j, 'a>(
    paths: &'p [Pointer],
    root: &'j Json<'a>,
) -> Option<(&'p Pointer, &'j Json<'a>)> {
    paths.iter().find_map(|path| Some((path, path.find(root)?)))
}

/// The first value that is present and not an empty text.
fn first_filled<'p, 'j, 'a>(
    paths: &'p [Pointer],
    root: &'j Json<'a>,
) -> Option<(&'p Pointer, &'j Json<'a>)> {
    paths.iter().find_map(|path| {
        let value = path.find(root)?;
        let empty = matches!(value, Json::Text(text) if text.is_empty());
        (!empty).then_some((path, value))
    })
}

/// A text that must not be longer than names are.
fn name<'t>(at: &dyn fmt::Display, text: &'t str) -> Result<&'t str, Fault> {
    if text.len() > NAME_BYTES_MAX {
        let detail = format!("{at}: expected at most {NAME_BYTES_MAX} bytes");
        return Err(Fault { reason: Reason::TooLarge, detail });
    }
    Ok(text)
}

/// The first name that is present; it must be a text.
fn text_at<'j>(paths: &[Pointer], root: &'j Json<'_>) -> Result<&'j str, Fault> {
    match first_filled(paths, root) {
        Some((path, Json::Text(text))) => name(path, text),
        Some((path, _)) => Err(Fault::wrong_type(path, "a text")),
        None => Err(Fault::missing(&Paths(paths))),
    }
}

fn shared_text(text: &Text, root: &Json<'_>) -> Result<Arc<str>, Fault> {
    match text {
        Text::Constant(value) => Ok(Arc::clone(value)),
        Text::At(paths) => text_at(paths, root).map(Arc::from),
    }
}

/// A text or number that must be there.
fn at_text<'t>(text: &'t Text, root: &'t Json<'_>) -> Result<Cow<'t, str>, Fault> {
    match text {
        Text::Constant(value) => Ok(Cow::Borrowed(value)),
        Text::At(paths) => {
            let (path, value) =
                first_filled(paths, root).ok_or_else(|| Fault::missing(&Paths(paths)))?;
            value.scalar().ok_or_else(|| Fault::wrong_type(path, "a text or a number"))
        }
    }
}

/// The first text or number that says something; it is a name.
fn said(paths: &[Pointer], root: &Json<'_>) -> Result<Option<String>, Fault> {
    let mut texts = paths.iter().filter_map(|path| Some((path, path.find(root)?.scalar()?)));
    let said = texts.find(|(_, text)| !is_nothing(text));
    said.map(|(path, text)| name(path, &text).map(str::to_owned)).transpose()
}

/// What forms write where nothing was entered.
fn is_nothing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("n/a")
}
