//! What does one field say between two groups of records?

use crate::score::{FieldModel, Model};

/// What one field says between two groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// The bits of all pairs that have a value, added up: in whole numbers of [`UNIT_BITS`], so that it does not depend on
    /// the order in which pairs come.
    sum: i64,
    /// Those of the best pair.
    pub max: f64,
    /// How many pairs have a value.
    pub pairs: u32,
}

/// What sums are counted in. **Units:** bits.
const UNIT_BITS: f64 = 1.0 / (1_u64 << 32) as f64;

impl Said {
    /// No pair has a value.
    pub const NOTHING: Self = Self { sum: 0, max: f64::NEG_INFINITY, pairs: 0 };

    /// What one pair says.
    pub fn of(bits: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred bits at most")]
        let sum = (bits / UNIT_BITS).round() as i64;
        Self { sum, max: bits, pairs: 1 }
    }

    /// How much the best pair counts beside the mean of all: of an identifier that people share or
    /// exchange, one agreement says it all.
    pub fn best_share(field: &FieldModel, model: &Model) -> f64 {
        if field.sharing.is_some() { 1.0 } else { model.parameters.best_share }
    }

    /// What it comes to in bits; some pair must have a value.
    pub fn bits(self, field: &FieldModel, model: &Model) -> f64 {
        let share = Self::best_share(field, model);
        share * self.max + (1.0 - share) * self.mean_bits()
    }

    /// The mean of all pairs that have a value; some must.
    pub fn mean_bits(self) -> f64 {
        self.sum as f64 * UNIT_BITS / f64::from(self.pairs)
    }

    /// Whether the groups have an identifier in common, or one that is nearly the same.
    pub fn is_in_common(self, field: &FieldModel) -> bool {
        field.sharing.is_some() && self.max > 0.0
    }

    /// What an identifier takes off, in bits, 0 or less, where two groups have none in common.
    pub fn apart_bits(self, field: &FieldModel, model: &Model) -> f64 {
        match field.sharing {
            Some(_) if self.pairs > 1 => {
                -model.parameters.apart_bits * f64::from(self.pairs).log2()
            }
            _ => 0.0,
        }
    }

    /// What both say together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            max: self.max.max(other.max),
            pairs: self.pairs + other.pairs,
        }
    }
}
