//! Which spans go to an OpenTelemetry collector?
//!
//! `batch` with `prepare`, `resolve` and `commit` below it, and `publish`; OTLP over HTTP to where the
//! usual variables say (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin), none where they say nothing. A
//! span is made when what it stands for is done: nothing is carried through the stages. Spans hold
//! counts and commit numbers, never a personal value.
//!
//! Only with the feature `otel`; else all of this is empty.

#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
mod without;

#[cfg(feature = "otel")]
pub(super) use otel::Traces;
#[cfg(not(feature = "otel"))]
pub(super) use without::Traces;
