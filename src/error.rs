//! What went wrong, and what should the caller do about it?
//!
//! One error type crosses the stages. Its [`Kind`] tells the caller what to do; its context names
//! the acts in the present tense, outermost first, so that a chain reads "publish: put log entry:
//! timed out". No personal value ever stands in one.

use std::fmt;

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A broker, store or network is away: retry with backoff, nothing was lost.
    Unavailable,
    /// Configuration or an argument is wrong: exit 2; the message names key, value and remedy.
    Invalid,
    /// Stored data contradicts itself: stop and overwrite nothing.
    Data,
    /// Another writer owns the state or the table: stop.
    Fenced,
    /// A bug.
    Internal,
}

/// The one error type that crosses stages.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    context: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of a kind; `message` is lower case, without a full stop or personal values.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, context: vec![message.into()], source: None }
    }
    /// Wrong configuration or argument.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }
    /// Stored data contradicts itself.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }
    /// A broker, store or network is away.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }
    /// Another writer owns the state or the table.
    pub fn fenced(message: impl Into<String>) -> Self {
        Self::new(Kind::Fenced, message)
    }
    /// A bug.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }
    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
    /// Puts the act that failed in front.
    #[must_use]
    pub fn context(mut self, act: impl Into<String>) -> Self {
        self.context.insert(0, act.into());
        self
    }
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.context.join(": "))?;
        let mut source = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Adds context to a foreign result.
pub trait Context<T> {
    /// Turns a foreign error into an [`Error`] of `kind` whose first words are `act`.
    fn context(self, kind: Kind, act: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T>
    for std::result::Result<T, E>
{
    fn context(self, kind: Kind, act: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::new(kind, act).caused_by(source))
    }
}
