//! What was found out about pairs of values, to be found again?
//!
//! Names, towns and the values of a few records that hang together meet each other over and over. Of some thousand pairs of
//! values it is remembered what level they reach and what that says; where there is no room, the older one is forgotten.
//! Nothing but time depends on it.

use std::cell::Cell;

use super::features::Symbol;
use crate::record::Field;

/// What one thread remembers of pairs of values of one [`Terms`](super::Terms) under one model.
pub struct Memo {
    levels: Box<[Cell<(Values, u8)>]>,
    bits: Box<[Cell<(Values, f64)>]>,
}

/// Two values of a field, in ascending order, and what else matters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Values {
    /// Never 0 of values that met.
    lesser: Symbol,
    greater: Symbol,
    field: u8,
    /// The level, and whether full names are known.
    given: (u8, bool),
}

/// How many pairs of values have room; a power of two.
const ROOM: usize = 1 << 13;

impl Default for Memo {
    fn default() -> Self {
        Self {
            levels: vec![Cell::default(); ROOM].into_boxed_slice(),
            bits: vec![Cell::default(); ROOM].into_boxed_slice(),
        }
    }
}

impl Memo {
    /// The level that two different values reach.
    pub(super) fn level(&self, field: Field, a: Symbol, b: Symbol, find: impl Fn() -> u8) -> u8 {
        recalled(&self.levels, Values::of(field, a, b, (0, false)), find)
    }

    /// What two values say that reach a level, in bits; `full_names` is whether both records have given name and surname.
    pub(super) fn bits(
        &self,
        field: Field,
        (a, b): (Symbol, Symbol),
        level: u8,
        full_names: bool,
        find: impl Fn() -> f64,
    ) -> f64 {
        recalled(&self.bits, Values::of(field, a, b, (level, full_names)), find)
    }
}

impl Values {
    fn of(field: Field, a: Symbol, b: Symbol, given: (u8, bool)) -> Self {
        Self { lesser: a.min(b), greater: a.max(b), field: field as u8, given }
    }

    fn place(self) -> usize {
        let pair = u64::from(self.lesser) << 32 | u64::from(self.greater);
        let other = u64::from(self.field) << 8 | u64::from(self.given.0);
        let mixed = (pair ^ other << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> (64 - ROOM.trailing_zeros())).expect("less than the room")
    }
}

fn recalled<T: Copy>(room: &[Cell<(Values, T)>], values: Values, find: impl Fn() -> T) -> T {
    let cell = &room[values.place()];
    let (known, found) = cell.get();
    if known == values {
        return found;
    }
    let found = find();
    cell.set((values, found));
    found
}
