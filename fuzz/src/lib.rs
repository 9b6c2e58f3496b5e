//! What must hold of any input?
//!
//! A check takes bytes of any kind, asks the library what they mean, and panics where the answer
//! cannot be. cargo-fuzz looks for bytes that break one; `tests/it/fuzz.rs` includes this file and
//! runs every check over the corpora that are kept, so it names nothing that only fuzzing has.

pub mod event;
pub mod fields;
pub mod kept;
pub mod written;

/// A check of any bytes.
pub type Check = fn(&[u8]);

/// Every check, by the name of its target and of its corpus.
pub const CHECKS: [(&str, Check); 8] = [
    ("decode", event::decode),
    ("mapping", event::mapping),
    ("normalise", fields::normalise),
    ("rows", kept::rows),
    ("snapshot", kept::snapshot),
    ("delta", kept::delta),
    ("pipeline", written::pipeline),
    ("model", written::model),
];
