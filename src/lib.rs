//! Onefold turns streams of customer events into one identity per customer and one profile per identity.

pub mod clock;
pub mod error;
pub mod normalise;
pub mod profile;
pub mod record;
pub mod config;
pub mod demo;
pub mod evaluate;
pub mod sink;
pub mod source;
pub mod state;
pub mod telemetry;
