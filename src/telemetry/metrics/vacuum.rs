//! How much of the tables was deleted because no version needs it?

use prometheus::IntCounter;

use super::shelf::Shelf;

/// What is counted of the vacuums.
pub(in crate::telemetry) struct VacuumCounters {
    pub(in crate::telemetry) files: IntCounter,
    pub(in crate::telemetry) bytes: IntCounter,
    pub(in crate::telemetry) failures: IntCounter,
}

impl VacuumCounters {
    pub(super) fn new(on: &mut Shelf) -> Self {
        Self {
            files: on.counter(
                "onefold_vacuum_files_deleted_total",
                "Files of the tables that were deleted because no kept version needs them.",
            ),
            bytes: on.counter("onefold_vacuum_deleted_bytes_total", "Their bytes."),
            failures: on.counter(
                "onefold_vacuum_failures_total",
                "How often the tables could not be vacuumed; it is tried again.",
            ),
        }
    }
}
