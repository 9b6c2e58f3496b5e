//! Decimal text in, an integer of a fixed unit out: exactly, without a binary fraction on the way.

/// Longer texts are no amounts; the digits must fit 128 bits.
const DIGITS_MAX: usize = 36;

/// Reads a decimal number (`12`, `-0.5`, `1.5e3`) as an integer of 10^-`decimals`; what is finer is
/// rounded half to even. `None` if it is no number, or does not fit.
pub(super) fn scaled(text: &str, decimals: u32) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let count = whole.len() + fraction.len();
    if count == 0 || count > DIGITS_MAX || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits().fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    let shift =
        i32::from(exponent) + i32::try_from(decimals).ok()? - i32::try_from(fraction.len()).ok()?;
    let value = if value == 0 {
        0
    } else if shift >= 0 {
        value.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?
    } else {
        // A divisor that does not fit is far more than twice the value: it rounds to nothing.
        10_i128.checked_pow(shift.unsigned_abs()).map_or(0, |divisor| half_even(value, divisor))
    };
    i64::try_from(if negative { -value } else { value }).ok()
}

fn half_even(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, decimals: u32, expected: Option<i64>) {
        assert_eq!(scaled(text, decimals), expected, "{text}");
    }

    #[test]
    fn amounts_are_exact() {
        check("31.56", 2, Some(3156));
        check("0.29", 2, Some(29));
        check("1", 2, Some(100));
        check("-4.5", 2, Some(-450));
        check("+4.5", 2, Some(450));
        check(".5", 1, Some(5));
        check("5.", 1, Some(50));
        check("1e3", 0, Some(1000));
        check("1.5E-3", 4, Some(15));
        check("90071992547409.93", 2, Some(9_007_199_254_740_993));
    }

    #[test]
    fn what_is_finer_rounds_half_to_even() {
        check("0.125", 2, Some(12));
        check("0.135", 2, Some(14));
        check("0.1251", 2, Some(13));
        check("-0.125", 2, Some(-12));
        check("-0.135", 2, Some(-14));
        check("2.5", 0, Some(2));
        check("1e-7", 2, Some(0));
        check("1e-400", 2, Some(0));
    }

    #[test]
    fn what_is_no_number_or_too_large_is_nothing() {
        for text in ["", "-", ".", "1,5", "1 000", "12x", "NaN", "inf", "1e", "--1", "1.2.3", "0x1"]
        {
            check(text, 2, None);
        }
        check("1e19", 0, None);
        check("1e4000", 2, None);
        check("0e4000", 2, Some(0));
        check(&"9".repeat(37), 0, None);
    }

    proptest! {
        #[test]
        fn the_shortest_text_of_hundredths_gives_them_back(
            minor in -1_000_000_000_000_i64..1_000_000_000_000,
        ) {
            #[expect(clippy::cast_precision_loss, reason = "the range is far below 2^53")]
            let text = serde_json::Number::from_f64(minor as f64 / 100.0).map(|n| n.to_string());
            prop_assert_eq!(text.and_then(|text| scaled(&text, 2)), Some(minor));
        }
    }
}
