//! How does each channel write a time?
//!
//! Times are milliseconds since 1970-01-01 UTC.

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta, Utc};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// When the history begins: 2024-01-01.
pub(super) const START: i64 = 1_704_067_200 * SECOND;
/// When it ends: two years later.
pub(super) const END: i64 = START + 730 * DAY;

/// `2024-01-01T00:00:00.000Z`.
pub(super) fn iso_utc(time: i64) -> String {
    naive(time).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `2023-12-31T19:00:00-05:00`.
pub(super) fn iso_offset(time: i64, offset_minutes: i64) -> String {
    let offset = i32::try_from(offset_minutes * 60).ok().and_then(FixedOffset::east_opt);
    let offset = offset.expect("the offsets of the lists are those of places on Earth");
    let local = DateTime::<FixedOffset>::from_naive_utc_and_offset(naive(time), offset);
    local.format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The order of month and day on a till receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateFormat {
    MonthFirst,
    DayFirst,
}

impl DateFormat {
    /// As the store's events call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::MonthFirst => "MDY",
            Self::DayFirst => "DMY",
        }
    }
}

/// `12/31/2023 19:00`, on the clock of the place.
pub(super) fn till(time: i64, offset_minutes: i64, format: DateFormat) -> String {
    let local = naive(time) + TimeDelta::minutes(offset_minutes);
    let pattern = match format {
        DateFormat::MonthFirst => "%m/%d/%Y %H:%M",
        DateFormat::DayFirst => "%d/%m/%Y %H:%M",
    };
    local.format(pattern).to_string()
}

fn naive(time: i64) -> NaiveDateTime {
    let time = DateTime::<Utc>::from_timestamp_millis(time);
    time.expect("the history lies within chrono's 260,000 years").naive_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_writes_a_time_in_its_own_way() {
        assert_eq!(iso_utc(START + 5), "2024-01-01T00:00:00.005Z");
        assert_eq!(iso_offset(START, -300), "2023-12-31T19:00:00-05:00");
        assert_eq!(iso_offset(START, 330), "2024-01-01T05:30:00+05:30");
        assert_eq!(till(START, -300, DateFormat::MonthFirst), "12/31/2023 19:00");
        assert_eq!(till(START, 60, DateFormat::DayFirst), "01/01/2024 01:00");
        assert_eq!(iso_utc(END), "2025-12-31T00:00:00.000Z");
    }
}
