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
        let mut members = Members { line: &mut line, failed: Ok(()) };
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

/// Whether somebody gave the event a name: those that nobody named have that of their place.
fn is_named(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

struct Members<'l, 'w> {
    line: &'l mut Writer<'w>,
    failed: fmt::Result,
}

impl Members<'_, '_> {
    fn put(&mut self, key: &str, value: impl serde::Serialize) {
        if self.failed.is_ok() {
            self.failed = self.try_put(key, value);
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
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}
