//! What is told of a panic?
//!
//! Where it happened, and never what it said: a panic may quote the text that it stumbled over, and
//! that may be somebody's name.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::thread;

use super::event::ThreadPanicked;

/// Logs the panics of all threads from now on, in place of what Rust prints.
pub fn log_panics() {
    std::panic::set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => backtrace.to_string(),
        _ => String::new(),
    };
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    ThreadPanicked { thread, location: &location, backtrace: &backtrace }.emit();
}
