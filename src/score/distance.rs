//! How far apart are two dates, numbers or places?
//!
//! `None` where a text is not of its kind, which then is no agreement.

use std::ops::Range;

use chrono::NaiveDate;

/// Kilometres from the middle of the Earth to its surface, on average.
const EARTH_RADIUS_KM: f64 = 6371.0;

/// Days between two dates, `YYYYMMDD`.
fn days(left: &str, right: &str) -> Option<f64> {
    let part = |text: &str, part: Range<usize>| text.get(part)?.parse().ok();
    let date = |text: &str| {
        let [year, month, day] = [part(text, 0..4)?, part(text, 4..6)?, part(text, 6..8)?];
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    };
    let days = (date(left)? - date(right)?).num_days().abs();
    Some(days as f64)
}

/// Whether two dates, `YYYYMMDD`, are so many days apart at most.
pub(super) fn days_within(left: &str, right: &str, most: f64) -> bool {
    let year = |text: &str| text.get(..4)?.parse::<u16>().ok();
    let years = year(left).zip(year(right)).map(|(left, right)| left.abs_diff(right));
    // Years that are so far apart need no calendar.
    let may_be = years.is_some_and(|years| (f64::from(years) - 1.0) * 365.0 <= most);
    may_be && days(left, right).is_some_and(|apart| apart <= most)
}

/// The difference of two numbers.
pub(super) fn of_numbers(left: &str, right: &str) -> Option<f64> {
    Some((number(left)? - number(right)?).abs())
}

/// The difference of two numbers, as a share of the greater one; `None` where that is not above zero.
pub(super) fn share_of_numbers(left: &str, right: &str) -> Option<f64> {
    let (left, right) = (number(left)?, number(right)?);
    let greater = left.max(right);
    (greater > 0.0).then(|| (left - right).abs() / greater)
}

/// Kilometres on the great circle between two places, `latitude,longitude` in degrees. By the haversine, which is
/// exact for near places, too.
pub(super) fn kilometres(left: &str, right: &str) -> Option<f64> {
    // In one order, so that rounding is the same both ways.
    let (first, second) = (place(left.min(right))?, place(left.max(right))?);
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let across = first.0.to_radians().cos() * second.0.to_radians().cos();
    let square = half(first.0, second.0) + across * half(first.1, second.1);
    Some(2.0 * EARTH_RADIUS_KM * square.sqrt().min(1.0).asin())
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn place(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(',')?;
    Some((number(latitude)?, number(longitude)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_world() {
        assert_eq!(days("20240228", "20240301"), Some(2.0));
        assert_eq!(days("20240301", "20240228"), Some(2.0));
        assert_eq!(days("20240230", "20240301"), None);
        assert!(
            days_within("20241231", "20250101", 1.0) && days_within("20241231", "20230101", 730.0)
        );
        assert!(
            !days_within("20241231", "20250101", 0.5) && !days_within("20240230", "20240301", 9.0)
        );
        assert!(
            !days_within("20241231", "20230101", 729.0) && !days_within("x", "20230101", 729.0)
        );
        assert_eq!(of_numbers("3.5", "5"), Some(1.5));
        assert_eq!(of_numbers("3.5", "five"), None);
        assert_eq!(share_of_numbers("80", "100"), Some(0.2));
        // Paris and London.
        let apart = kilometres("48.8566,2.3522", "51.5074,-0.1278").expect("places");
        assert!((apart - 343.6).abs() < 0.5, "{apart}");
        assert_eq!(kilometres("1,2", "1,2"), Some(0.0));
        assert_eq!(kilometres("1", "1,2"), None);
    }
}
