//! Spans by OTLP.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Span, SpanBuilder, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::clock;
use crate::error::{Error, Result};
use crate::telemetry::metrics::Stage;

/// The variables that say where a collector is.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// How long sending what waits may take at the end.
const FLUSH_WAIT: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Default)]
pub(crate) struct Traces(Option<Collector>);

struct Collector {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// The stages of the batch at hand: each with its end.
    stages: Mutex<Vec<(Stage, SystemTime, Duration)>>,
}

/// The wall clock.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(clock::now_micros()).unwrap_or_default())
}

/// As OTLP counts.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Traces {
    /// As the environment says; none where it names no collector.
    ///
    /// **Errors:** invalid, where what it says cannot be used.
    pub(crate) fn from_environment() -> Result<Self> {
        let is_set = |name: &&str| std::env::var(name).is_ok_and(|url| !url.is_empty());
        let Some(variable) = ENDPOINTS.iter().find(|name| is_set(name)) else {
            return Ok(Self(None));
        };
        let exporter = SpanExporter::builder().with_http().build().map_err(|error| {
            Error::invalid(format!("{variable}: give the URL of a collector")).caused_by(error)
        })?;
        let resource = Resource::builder()
            .with_service_name("onefold")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("onefold");
        Ok(Self(Some(Collector { provider, tracer, stages: Mutex::default() })))
    }

    /// A stage of the batch at hand is done.
    pub(crate) fn stage(&self, stage: Stage, duration: Duration) {
        if let Some(collector) = &self.0 {
            let mut stages = collector.stages.lock().unwrap_or_else(PoisonError::into_inner);
            stages.push((stage, now(), duration));
        }
    }

    /// The batch is done.
    pub(crate) fn batch(&self, sequence: u64, read: u64, duration: Duration) {
        let Some(Collector { tracer, stages, .. }) = &self.0 else { return };
        let end = now();
        let builder = SpanBuilder::from_name("batch").with_start_time(end - duration);
        let attributes = [
            KeyValue::new("onefold.sequence", number(sequence)),
            KeyValue::new("onefold.messages", number(read)),
        ];
        let batch = builder.with_attributes(attributes).start_with_context(tracer, &Context::new());
        let within = Context::new().with_remote_span_context(batch.span_context().clone());
        let stages = std::mem::take(&mut *stages.lock().unwrap_or_else(PoisonError::into_inner));
        for (stage, end, duration) in stages {
            let builder = SpanBuilder::from_name(stage.name()).with_start_time(end - duration);
            builder.start_with_context(tracer, &within).end_with_timestamp(end);
        }
        let mut batch = batch;
        batch.end_with_timestamp(end);
    }

    /// Tables were published; `None`: their store was away.
    pub(crate) fn publish(&self, sequence: u64, duration: Option<Duration>) {
        let Some(Collector { tracer, .. }) = &self.0 else { return };
        let end = now();
        let start = end - duration.unwrap_or_default();
        let builder = SpanBuilder::from_name("publish").with_start_time(start);
        let builder =
            builder.with_attributes([KeyValue::new("onefold.sequence", number(sequence))]);
        let mut publish = tracer.build_with_context(builder, &Context::new());
        if duration.is_none() {
            publish.set_status(Status::error("the tables' store is away"));
        }
        publish.end_with_timestamp(end);
    }

    /// Sends what waits.
    pub(crate) fn flush(&self) {
        if let Some(collector) = &self.0 {
            // Spans that do not arrive are no reason to fail.
            collector.provider.shutdown_with_timeout(FLUSH_WAIT).ok();
        }
    }
}
