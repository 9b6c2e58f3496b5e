//! A source's own way to write a time in, microseconds UTC out: when did it happen?

use chrono::{DateTime, NaiveDate};

use super::decimal::scaled;
use super::{Text, at_text};
use crate::record::{Micros, Reason};
use crate::source::Fault;
use crate::source::json::{Json, Pointer};

const SECOND: i64 = 1_000_000;

/// 2201-01-01T00:00:00Z: what claims to be later is a broken clock or a unit mistaken for another.
const LATEST: Micros = 7_289_654_400 * SECOND;

/// Clocks differ from UTC by 14 hours at most.
const OFFSET_MAX: i64 = 14 * 3600 * SECOND;

/// Where the time of an event stands, and how it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRule {
    /// Where it stands.
    pub path: Pointer,
    /// How it is written.
    pub format: TimeFormat,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2024-01-31T08:30:00.123Z`, with any offset.
    Rfc3339,
    /// Seconds since 1970 UTC, a number or its text, possibly with a fraction.
    EpochSeconds,
    /// Milliseconds since 1970 UTC.
    EpochMillis,
    /// A wall clock's `31/01/2024 08:30`, `01/31/2024 08:30:15` or `2024-01-31 08:30`.
    Local {
        /// The order of the date's parts, `DMY`, `MDY` or `YMD`; a date that begins with four
        /// digits is `YMD` anyway.
        order: Text,
        /// How many hours the clock is ahead of UTC: `-8`, `5.5` or `+05:30`.
        utc_offset: Text,
    },
}

impl TimeRule {
    /// The time of the event; after 1970 and before 2201.
    pub(super) fn read(&self, root: &Json<'_>) -> Result<Micros, Fault> {
        let path = &self.path;
        let value = path.find(root).ok_or_else(|| Fault::missing(path))?;
        let bad = |expected: &str| Fault {
            reason: Reason::BadTime,
            detail: format!("{path}: expected {expected}"),
        };
        let text = value.scalar().ok_or_else(|| bad("a text or a number"))?;
        let text = text.trim();
        let micros = match &self.format {
            TimeFormat::Rfc3339 => DateTime::parse_from_rfc3339(text)
                .map(|time| time.timestamp_micros())
                .map_err(|_| bad("an RFC 3339 time"))?,
            TimeFormat::EpochSeconds => scaled(text, 6).ok_or_else(|| bad("seconds since 1970"))?,
            TimeFormat::EpochMillis => {
                scaled(text, 3).ok_or_else(|| bad("milliseconds since 1970"))?
            }
            TimeFormat::Local { order, utc_offset } => {
                let order = at_text(order, root)?;
                let clock = wall_clock(text, &order)
                    .ok_or_else(|| bad("a date and a time of day in the order given"))?;
                clock - offset(&at_text(utc_offset, root)?, utc_offset)?
            }
        };
        if micros <= 0 || micros >= LATEST {
            return Err(bad("a time after 1970 and before 2201"));
        }
        Ok(micros)
    }
}

/// Microseconds since 1970 by the wall clock.
fn wall_clock(text: &str, order: &str) -> Option<Micros> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let mut parts = date.split(['/', '-', '.']);
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or("")];
    let [a, b, c, ""] = parts else { return None };
    let [year, month, day] = match order {
        _ if a.len() == 4 => [a, b, c],
        "DMY" => [c, b, a],
        "MDY" => [c, a, b],
        "YMD" => [a, b, c],
        _ => return None,
    };
    if year.len() != 4 {
        return None;
    }
    let date =
        NaiveDate::from_ymd_opt(digits(year)?.try_into().ok()?, digits(month)?, digits(day)?)?;
    let (time, fraction) = time.trim().split_once('.').unwrap_or((time.trim(), ""));
    let mut parts = time.split(':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), digits)?;
    if parts.next().is_some() {
        return None;
    }
    let micros = if fraction.is_empty() { 0 } else { scaled(&format!("0.{fraction}"), 6)? };
    let time = date.and_hms_opt(hour, minute, second)?;
    time.and_utc().timestamp_micros().checked_add(micros)
}

fn digits(text: &str) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// How far the clock is ahead of UTC, in microseconds.
fn offset(text: &str, at: &Text) -> Result<Micros, Fault> {
    let micros = match text.split_once(':') {
        Some((hours, minutes)) => digits(minutes).filter(|m| *m < 60).and_then(|minutes| {
            let hours = scaled(hours, 0)?.checked_mul(3600 * SECOND)?;
            let minutes = i64::from(minutes) * 60 * SECOND;
            Some(if text.starts_with('-') { hours - minutes } else { hours + minutes })
        }),
        None => scaled(text, 6).and_then(|hours| hours.checked_mul(3600)),
    };
    micros.filter(|micros| micros.abs() <= OFFSET_MAX).ok_or_else(|| Fault {
        reason: Reason::BadTime,
        detail: format!("{at}: expected hours from UTC"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::json::{Limits, parse};

    fn rule(format: TimeFormat) -> TimeRule {
        TimeRule { path: Pointer::parse("/ts").expect("a pointer"), format }
    }

    fn local() -> TimeFormat {
        let at = |text| Text::At(vec![Pointer::parse(text).expect("a pointer")]);
        TimeFormat::Local { order: at("/order"), utc_offset: at("/off") }
    }

    fn read(format: TimeFormat, document: &str) -> Result<String, Fault> {
        let root = parse(document.as_bytes(), &Limits::default()).expect("it is JSON");
        let micros = rule(format).read(&root)?;
        Ok(DateTime::from_timestamp_micros(micros).expect("a time").to_rfc3339())
    }

    #[track_caller]
    fn check(format: TimeFormat, document: &str, expected: &str) {
        assert_eq!(read(format, document).as_deref(), Ok(expected), "{document}");
    }

    #[track_caller]
    fn check_fault(format: TimeFormat, document: &str, reason: Reason) {
        assert_eq!(read(format, document).map_err(|f| f.reason), Err(reason), "{document}");
    }

    #[test]
    fn rfc3339() {
        use TimeFormat::Rfc3339;
        check(Rfc3339, r#"{"ts":"2024-01-01T00:45:35.439Z"}"#, "2024-01-01T00:45:35.439+00:00");
        check(Rfc3339, r#"{"ts":"2023-12-31T18:48:48-06:00"}"#, "2024-01-01T00:48:48+00:00");
        check(Rfc3339, r#"{"ts":"2024-01-01 05:53:39+05:30"}"#, "2024-01-01T00:23:39+00:00");
        for bad in ["\"yesterday\"", "\"\"", "-1", "\"2025-13-45T99:00:00Z\"", "[]", "true"] {
            check_fault(Rfc3339, &format!(r#"{{"ts":{bad}}}"#), Reason::BadTime);
        }
        check_fault(Rfc3339, r#"{"ts":null}"#, Reason::MissingField);
        check_fault(Rfc3339, "{}", Reason::MissingField);
        check_fault(Rfc3339, r#"{"ts":"1969-12-31T23:59:59Z"}"#, Reason::BadTime);
        check_fault(Rfc3339, r#"{"ts":"1970-01-01T00:00:00Z"}"#, Reason::BadTime);
        check(Rfc3339, r#"{"ts":"2200-12-31T23:59:59Z"}"#, "2200-12-31T23:59:59+00:00");
        check_fault(Rfc3339, r#"{"ts":"2201-01-01T00:00:00Z"}"#, Reason::BadTime);
    }

    #[test]
    fn epochs() {
        use TimeFormat::{EpochMillis, EpochSeconds};
        check(EpochSeconds, r#"{"ts":1704068292}"#, "2024-01-01T00:18:12+00:00");
        check(EpochSeconds, r#"{"ts":"1704068292.5"}"#, "2024-01-01T00:18:12.500+00:00");
        check(EpochMillis, r#"{"ts":1704068292123}"#, "2024-01-01T00:18:12.123+00:00");
        check_fault(EpochSeconds, r#"{"ts":1704068292123}"#, Reason::BadTime);
        check_fault(EpochSeconds, r#"{"ts":-1}"#, Reason::BadTime);
        check_fault(EpochSeconds, r#"{"ts":"yesterday"}"#, Reason::BadTime);
        check_fault(EpochSeconds, r#"{"ts":1e300}"#, Reason::BadTime);
    }

    #[test]
    fn wall_clocks() {
        let document = |ts: &str, order: &str, off: &str| {
            format!(r#"{{"ts":"{ts}","order":"{order}","off":{off}}}"#)
        };
        let check = |ts, order, off, expected: &str| {
            check(local(), &document(ts, order, off), expected);
        };
        check("02/01/2024 09:18", "DMY", "5.5", "2024-01-02T03:48:00+00:00");
        check("02/01/2024 09:18", "MDY", "-8.0", "2024-02-01T17:18:00+00:00");
        check("02.01.2024 09:18:30.25", "DMY", "0", "2024-01-02T09:18:30.250+00:00");
        check("2024-01-02T09:18", "DMY", "\"+05:30\"", "2024-01-02T03:48:00+00:00");
        check("2024-01-02", "YMD", "\"-03:30\"", "2024-01-02T03:30:00+00:00");
        check("2024-01-02", "YMD", "\"-00:30\"", "2024-01-02T00:30:00+00:00");
        for (ts, order, off) in [
            ("31/12/2024 09:18", "MDY", "0"),
            ("02/01/24 09:18", "DMY", "0"),
            ("02/01/2024 25:00", "DMY", "0"),
            ("02/01/2024 09", "DMY", "0"),
            ("02/01/2024 +9:+8", "DMY", "0"),
            ("yesterday", "DMY", "0"),
            ("", "DMY", "0"),
            ("02/01/2024 09:18", "?", "0"),
            ("02/01/2024 09:18", "DMY", "99"),
            ("02/01/2024 09:18", "DMY", "\"east\""),
        ] {
            check_fault(local(), &document(ts, order, off), Reason::BadTime);
        }
        check_fault(local(), r#"{"ts":"02/01/2024 09:18","order":"DMY"}"#, Reason::MissingField);
        check_fault(local(), r#"{"ts":"02/01/2024 09:18","off":1}"#, Reason::MissingField);
    }
}
