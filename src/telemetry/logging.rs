//! Where do log lines go, and which?

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt};

use super::hiding::Hiding;
use super::json::JsonLines;
use crate::error::{Context, Error, Kind, Result};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, message, fields.
    #[default]
    Text,
    /// For machines: one JSON object a line, the event's fields beside `timestamp`, `level`, `event`
    /// (its stable name) and `message`.
    Json,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error::invalid(format!("log format {text:?}: write text or json"))),
        }
    }
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace]
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| {
                Error::invalid(format!(
                    "log level {text:?}: write error, warn, info, debug or trace"
                ))
            })
    }
}

/// The variable whose filter (`debug`, or `onefold=debug,object_store=info`) replaces the level.
const FILTER_VARIABLE: &str = "ONEFOLD_LOG";

/// Sends the process's log lines to standard error from now on.
///
/// Events of libraries are logged from `warn` on. Where the variable `ONEFOLD_LOG` is set, it says
/// instead what is logged.
///
/// **Errors:** `Invalid` where `ONEFOLD_LOG` is not a filter; `Internal` the second time.
pub fn init_logging(format: Format, level: Level) -> Result<()> {
    let filter = match std::env::var(FILTER_VARIABLE) {
        Ok(directives) if !directives.is_empty() => read_filter(&directives)?,
        _ => default_filter(level),
    };
    let started = if io::stderr().is_terminal() {
        let subscriber = subscriber(format, filter, true, Hiding(Terminal::default));
        tracing::subscriber::set_global_default(subscriber)
    } else {
        let subscriber = subscriber(format, filter, false, Hiding(io::stderr));
        tracing::subscriber::set_global_default(subscriber)
    };
    started.context(Kind::Internal, "start logging")
}

/// Back to the start of the terminal's line, and clear it.
const CLEAR_LINE: &[u8] = b"\r\x1b[2K";

/// Standard error where it is a terminal: a progress bar may stand in the line, and makes way.
#[derive(Default)]
struct Terminal;

impl io::Write for Terminal {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        out.write_all(CLEAR_LINE)?;
        out.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

pub(super) fn read_filter(directives: &str) -> Result<EnvFilter> {
    EnvFilter::builder().parse(directives).map_err(|error| {
        Error::invalid(format!("{FILTER_VARIABLE}: write for example info or onefold=debug"))
            .caused_by(error)
    })
}

pub(super) fn default_filter(level: Level) -> EnvFilter {
    let libraries = level.min(Level::Warn);
    EnvFilter::new(format!("{},onefold={}", libraries.name(), level.name()))
}

pub(super) fn subscriber<W>(
    format: Format,
    filter: EnvFilter,
    colours: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let lines = match format {
        Format::Text => lines.with_target(false).boxed(),
        Format::Json => lines.event_format(JsonLines).boxed(),
    };
    Registry::default().with(filter).with(lines)
}
