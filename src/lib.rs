//! Onefold turns streams of customer events into one identity per customer and one profile per identity.

pub mod block;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod error;
pub mod evaluate;
pub mod normalise;
pub mod pipeline;
pub mod profile;
pub mod record;
pub mod resolve;
pub mod score;
pub mod sink;
pub mod source;
pub mod state;
pub mod telemetry;
