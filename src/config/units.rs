//! `"30s"`, `"128MiB"`: how long, how much?

use std::time::Duration;

/// Reads a duration of whole `ms`, `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(count.checked_mul(millis)?))
}

/// A duration as it would be written: in the largest unit of which it is whole.
pub fn in_words(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let whole = units.iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    let (unit, length) = whole.copied().unwrap_or(("ms", 1));
    format!("{}{unit}", millis / length)
}

/// Reads a number of bytes of whole `B`, `KiB`, `MiB`, `GiB`, `TiB`, or `kB`, `MB`, `GB`, `TB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (count, unit) = split(text)?;
    let unit: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    count.checked_mul(unit)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("5 m", 300_000), ("2h", 7_200_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["500ms", "0ms", "90s", "5m", "36h", "7d"] {
            assert_eq!(in_words(duration(text).unwrap()), text);
        }
        for text in ["", "30", "s", "-1s", "1.5s", "30 apples", "99999999999999999999s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, count) in [("1B", 1), ("128MiB", 128 << 20), ("2GiB", 2 << 30), ("3kB", 3000)] {
            assert_eq!(bytes(text), Some(count), "{text}");
        }
        for text in ["", "2", "2GB!", "2gib", "99999999999TiB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
