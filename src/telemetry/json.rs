//! How is an event written as one line of JSON?

use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// `{"timestamp":…,"level":…,"event":…,` then the message and the event's fields. Events of libraries
/// have no name; they say where they come from, as `target`.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        write!(line, "{{\"timestamp\":\"{time}\",\"level\":\"{}\"", metadata.level())?;
        let mut members = Members { line: &mut line, has_message: false, failed: Ok(()) };
        if is_named(metadata.name()) {
            members.put("event", metadata.name());
        } else {
            members.put("target", metadata.target());
        }
        event.record(&mut members);
        members.failed?;
        line.write_str("}\n")
    }
}

/// Keys of every line.
const OWN: [&str; 4] = ["timestamp", "level", "event", "target"];

/// Whether somebody gave the event a name: those that nobody named have that of their place.
fn is_named(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

struct Members<'l, 'w> {
    line: &'l mut Writer<'w>,
    has_message: bool,
    failed: fmt::Result,
}

impl Members<'_, '_> {
    fn put(&mut self, key: &str, value: impl serde::Serialize) {
        if self.failed.is_ok() {
            self.failed = self.try_put(key, value);
        }
    }

    /// A key stands once in an object: a field that is called as one of the line's own gets a mark.
    fn put_field(&mut self, field: &Field, value: impl serde::Serialize) {
        let name = field.name();
        // The line's message comes first.
        let is_second_message = name == "message" && std::mem::replace(&mut self.has_message, true);
        match OWN.contains(&name) || is_second_message {
            true => self.put(&format!("{name}_"), value),
            false => self.put(name, value),
        }
    }

    fn try_put(&mut self, key: &str, value: impl serde::Serialize) -> fmt::Result {
        let key = serde_json::to_string(key).map_err(|_| fmt::Error)?;
        let value = serde_json::to_string(&value).map_err(|_| fmt::Error)?;
        write!(self.line, ",{key}:{value}")
    }
}

impl Visit for Members<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_field(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_field(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_field(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put_field(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put_field(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_field(field, format!("{value:?}"));
    }
}
