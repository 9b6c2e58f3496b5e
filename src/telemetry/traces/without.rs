//! No spans: built without the feature `otel`.

use std::time::Duration;

use crate::error::Result;
use crate::telemetry::metrics::Stage;

/// Where spans would go.
#[derive(Default)]
pub(crate) struct Traces;

impl Traces {
    /// As the environment says: there are none.
    #[expect(clippy::unnecessary_wraps, reason = "with the feature, it may fail")]
    pub(crate) fn from_environment() -> Result<Self> {
        Ok(Self)
    }

    /// A stage of the batch at hand is done.
    pub(crate) fn stage(&self, _: Stage, _: Duration) {}

    /// The batch is done.
    pub(crate) fn batch(&self, _: u64, _: u64, _: Duration) {}

    /// Tables were published; `None`: their store was away.
    pub(crate) fn publish(&self, _: u64, _: Option<Duration>) {}

    /// Sends what waits.
    pub(crate) fn flush(&self) {}
}
