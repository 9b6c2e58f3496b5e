//! Where words for people go.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::unwritable;
use crate::error::{Context, Kind, Result};
pub(super) use crate::report::grouped as number;
use crate::telemetry::hidden_in;

/// Writes a text that was asked for, and a line break, to standard output.
pub(super) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(unwritable)
}

/// Writes an answer to standard output: as JSON on one line, or as text.
pub(super) fn answer(answer: &(impl Display + Serialize), as_json: bool) -> Result<()> {
    if as_json {
        let json = serde_json::to_string(answer);
        return say(&json.context(Kind::Internal, "write an answer as JSON")?);
    }
    say(answer.to_string().trim_end())
}

/// Writes what a person should know to standard error, without the secrets of the pipeline file.
pub(super) fn complain(text: &str) {
    complain_as_is(&hidden_in(text));
}

/// The same of a text that holds no secret already.
pub(super) fn complain_as_is(text: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether somebody watches.
pub(super) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Bytes for people, `12.3 MiB`.
pub(super) fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut amount = count as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
    }

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(12), "12 B");
        assert_eq!(bytes(1536), "1.5 KiB");
    }
}
