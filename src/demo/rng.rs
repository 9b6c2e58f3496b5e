//! Where does the demo's chance come from, the same on every machine?
//!
//! xoshiro256**, seeded by SplitMix64, with the distributions that the generator draws from.
//! Everything is made of integer operations and `+ - * /`, which IEEE 754 fixes to the last bit;
//! the logarithm and the exponential of the platform's C library are not fixed, so both are written
//! out here.
//!
//! **Source:** Blackman and Vigna, "Scrambled linear pseudorandom number generators", TOMS 47
//! (2021).

use std::f64::consts::{LN_2, SQRT_2};

/// A seeded source of pseudo-random numbers.
#[derive(Clone, Debug)]
pub(super) struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        let mut counter = seed;
        let state = [(); 4].map(|()| {
            counter = counter.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        });
        Self { state }
    }

    pub(super) fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform from 0, inclusive, to 1, exclusive.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform from 0, inclusive, to `limit`, exclusive; 0 where the limit is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// As [`Self::below`], but low numbers are likelier: the square of a uniform draw.
    pub(super) fn below_skewed(&mut self, limit: usize) -> usize {
        let unit = self.unit();
        (unit * unit * limit as f64) as usize
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of `items`, which are never empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.unit())
    }

    /// About normal: the sum of twelve uniform draws, so never beyond six deviations.
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        mean + (sum - 6.0) * deviation
    }

    /// Lower-case hexadecimal digits.
    pub(super) fn hex(&mut self, length: usize) -> String {
        self.characters(length, b"0123456789abcdef")
    }

    /// Decimal digits; the first may be 0.
    pub(super) fn digits(&mut self, length: usize) -> String {
        self.characters(length, b"0123456789")
    }

    fn characters(&mut self, length: usize, alphabet: &[u8]) -> String {
        (0..length).map(|_| char::from(*self.pick(alphabet))).collect()
    }
}

/// The natural logarithm of a positive, normal number.
pub(super) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh((m − 1) / (m + 1)), whose argument is at most 0.172: twelve terms reach 53
    // bits.
    let argument = (mantissa - 1.0) / (mantissa + 1.0);
    let square = argument * argument;
    let series = (0..12).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    exponent as f64 * LN_2 + 2.0 * argument * series
}

/// e to the power of `x`, for results that are normal numbers.
pub(super) fn exp(x: f64) -> f64 {
    let doublings = (x / LN_2).round();
    let rest = x - doublings * LN_2;
    let series = (1..18).rev().fold(1.0, |sum, k| 1.0 + sum * rest / f64::from(k));
    series * f64::from_bits(((1023 + doublings as i64) as u64) << 52)
}

/// A positive `base` to the power of `exponent`.
pub(super) fn power(base: f64, exponent: f64) -> f64 {
    exp(exponent * ln(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            [rng.bits(), rng.bits(), rng.bits()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    /// The first output of SplitMix64 seeded with 1234567 is published with the algorithm.
    #[test]
    fn the_seed_is_spread_by_splitmix64() {
        assert_eq!(Rng::new(1_234_567).state[0], 6_457_827_717_110_365_317);
    }

    #[test]
    fn logarithm_and_exponential_agree_with_the_library() {
        for i in 1..2_000 {
            let x = f64::from(i) * 0.0137;
            assert!((ln(x) - x.ln()).abs() <= 1e-14 * x.ln().abs().max(1.0), "ln {x}");
            for x in [x - 12.0, x] {
                assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "exp {x}");
            }
        }
        assert!((power(0.3, 1.3) - 0.3_f64.powf(1.3)).abs() < 1e-14);
    }

    #[test]
    fn draws_have_the_means_they_promise() {
        let mut rng = Rng::new(1);
        let mut mean =
            |draw: fn(&mut Rng) -> f64| (0..20_000).map(|_| draw(&mut rng)).sum::<f64>() / 20_000.0;
        assert!((mean(Rng::unit) - 0.5).abs() < 0.01);
        assert!((mean(|rng| rng.exponential(3.0)) - 3.0).abs() < 0.1);
        assert!((mean(|rng| rng.normal(2.0, 0.5)) - 2.0).abs() < 0.02);
        assert!((mean(|rng| rng.below(10) as f64) - 4.5).abs() < 0.1);
    }

    #[test]
    fn texts_have_their_length_and_alphabet() {
        let mut rng = Rng::new(1);
        assert!(rng.hex(24).bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = rng.digits(40);
        assert_eq!(digits.len(), 40);
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
    }
}
