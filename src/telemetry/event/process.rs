//! What happens to the process?

use std::time::Duration;

use tracing::{error, info};

use super::milliseconds;
use crate::error::Error;
use crate::telemetry::Telemetry;

/// A command cannot go on.
#[derive(Clone, Copy, Debug)]
pub struct CommandFailed<'a> {
    /// Why.
    pub error: &'a Error,
}

impl CommandFailed<'_> {
    /// Logs it at `ERROR`.
    pub fn emit(self) {
        let Self { error } = self;
        error!(name: "command_failed", kind = ?error.kind(), %error, "command failed");
    }
}

/// The HTTP endpoint answers from now on.
#[derive(Clone, Copy, Debug)]
pub struct HttpListening<'a> {
    /// Address and port.
    pub address: &'a str,
    /// Whether it speaks TLS only.
    pub tls: bool,
}

impl HttpListening<'_> {
    /// Logs it at `INFO`.
    pub fn emit(self) {
        let Self { address, tls } = self;
        info!(name: "http_listening", address, tls, "http listening");
    }
}

/// A thread came upon a mistake of this program's. What it said is not told: it may quote what it
/// worked on.
#[derive(Clone, Copy, Debug)]
pub struct ThreadPanicked<'a> {
    /// The thread's name.
    pub thread: &'a str,
    /// File, line and column.
    pub location: &'a str,
    /// The functions that led there; empty unless `RUST_BACKTRACE` asks for them.
    pub backtrace: &'a str,
}

impl ThreadPanicked<'_> {
    /// Logs it at `ERROR`.
    pub fn emit(self) {
        let Self { thread, location, backtrace } = self;
        error!(name: "thread_panicked", thread, location, backtrace, "thread panicked");
    }
}

/// The process was asked to stop.
#[derive(Clone, Copy, Debug)]
pub struct ShutdownRequested<'a> {
    /// The signal, e.g. `SIGTERM`.
    pub signal: &'a str,
    /// How long draining may take.
    pub timeout: Duration,
}

impl ShutdownRequested<'_> {
    /// Logs it at `INFO`, and tells `to`.
    pub fn emit(self, to: &Telemetry) {
        let Self { signal, timeout } = self;
        info!(
            name: "shutdown_requested",
            signal, timeout_ms = milliseconds(timeout),
            "shutdown requested"
        );
        to.drain();
    }
}
