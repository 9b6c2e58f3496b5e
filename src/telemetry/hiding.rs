//! What must not be told, wherever it turns up?
//!
//! The secrets of a pipeline file may come back in the words of a library: a URL that cannot be
//! reached, an option that is refused. Every line that is written to standard error goes through
//! [`hidden_in`].

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use tracing_subscriber::fmt::MakeWriter;

/// A text in, the same without secrets out.
type Hide = Box<dyn Fn(&str) -> String + Send + Sync>;

static HIDES: RwLock<Vec<Hide>> = RwLock::new(Vec::new());

/// From now on, every line is written as `hide` makes it.
pub fn hide_in_lines(hide: impl Fn(&str) -> String + Send + Sync + 'static) {
    HIDES.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(hide));
}

/// The text without what shall be hidden.
pub fn hidden_in(text: &str) -> Cow<'_, str> {
    let hides = HIDES.read().unwrap_or_else(PoisonError::into_inner);
    hides.iter().fold(Cow::Borrowed(text), |text, hide| Cow::Owned(hide(&text)))
}

/// Writes lines without what shall be hidden.
pub(super) struct Hiding<W>(pub(super) W);

impl<W: Write> Write for Hiding<W> {
    /// The formatter hands over a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(hidden_in(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Hiding<W> {
    type Writer = Hiding<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Hiding(self.0.make_writer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_without_what_is_hidden() {
        hide_in_lines(|text| text.replace("canary-of-hiding", "<bird>"));
        hide_in_lines(|text| text.replace("<bird>", "<hidden>"));
        let mut out = Vec::new();
        let line = b"a canary-of-hiding sings\n";
        assert_eq!(Hiding(&mut out).write(line).expect("a Vec takes all"), line.len());
        assert_eq!(out, b"a <hidden> sings\n");
        assert_eq!(hidden_in("canary-of-hiding"), "<hidden>");
    }
}
