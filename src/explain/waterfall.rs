//! How do terms add up, drawn in plain characters?

use std::fmt::{self, Formatter};

use super::{Between, Pair, Sum};

/// Columns of the waterfall's bars.
const BAR_COLUMNS: usize = 40;

/// Bits with their sign; what rounds to nothing has none of it.
pub(super) fn signed(bits: f64) -> String {
    if bits.abs() < NOTHING_BITS { "0.00".into() } else { format!("{bits:+.2}") }
}

/// Less is not shown.
const NOTHING_BITS: f64 = 0.005;

/// A bar: its name, its bits, and those against a household mate.
pub(super) type Row<'a> = (&'a str, f64, f64);

pub(super) fn pair_rows(pair: &Pair) -> Vec<Row<'_>> {
    let spoken = pair.fields.iter().filter(|term| term.level > 0 || term.bits != 0.0);
    spoken.map(|term| (&*term.name, term.bits, term.household_bits)).collect()
}

pub(super) fn group_rows(between: &Between) -> Vec<Row<'_>> {
    let terms = between.fields.iter();
    terms.map(|term| (&*term.name, term.bits, term.household_bits)).collect()
}

/// Writes how terms add up: each bar begins where the one before ended, `|` is zero.
pub(super) fn waterfall(f: &mut Formatter<'_>, terms: &[Row<'_>], sum: &Sum) -> fmt::Result {
    let mut rows = vec![("prior", sum.prior_bits, sum.household_prior_bits)];
    rows.extend_from_slice(terms);
    let mut ends = vec![0.0];
    for (_, bits, _) in &rows {
        ends.push(ends[ends.len() - 1] + bits);
    }
    ends.push(sum.weight_bits);
    let scale = Scale::of(&ends);
    writeln!(f, "  {:<14} {:>8} {:>10}  {}", "", "bits", "household", scale.head())?;
    for ((name, bits, household), ends) in rows.iter().zip(ends.windows(2)) {
        let bar = scale.bar(ends[0], ends[1]);
        let (bits, household) = (signed(*bits), signed(*household));
        writeln!(f, "  {name:<14} {bits:>8} {household:>10}  {bar}")?;
    }
    let (stranger, weight) = (sum.stranger_bits, sum.weight_bits);
    let bar = scale.bar(stranger, weight);
    let (discount, household) = (signed(sum.discount_bits), signed(sum.household_bits));
    writeln!(f, "  {:<14} {discount:>8} {household:>10}  {bar}", "household")?;
    let (bar, weight) = (scale.total(weight), signed(weight));
    writeln!(f, "  {:<14} {weight:>8} {:>10}  {bar}", "match weight", "")?;
    writeln!(f, "  groups merge from {} bits", signed(sum.threshold_bits))
}

/// Which column a number of bits is drawn in.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(ends: &[f64]) -> Self {
        let least = ends.iter().copied().fold(0.0, f64::min);
        let most = ends.iter().copied().fold(0.0, f64::max);
        Self { least, most: most.max(least + 1.0) }
    }

    fn column(&self, bits: f64) -> usize {
        let share = (bits - self.least) / (self.most - self.least);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 0 to 1 of a few columns"
        )]
        let column = (share.clamp(0.0, 1.0) * (BAR_COLUMNS - 1) as f64).round() as usize;
        column
    }

    fn head(&self) -> String {
        let (least, most) = (format!("{:+.0}", self.least), format!("{:+.0}", self.most));
        format!("{least}{most:>width$}", width = BAR_COLUMNS - least.len())
    }

    fn bar(&self, from: f64, to: f64) -> String {
        let mark = match to - from {
            bits if bits.abs() < NOTHING_BITS => ' ',
            bits if bits < 0.0 => '-',
            _ => '+',
        };
        self.draw(from, to, mark)
    }

    fn total(&self, bits: f64) -> String {
        self.draw(0.0, bits, '=')
    }

    fn draw(&self, from: f64, to: f64, mark: char) -> String {
        let (from, to, zero) = (self.column(from), self.column(to), self.column(0.0));
        let mut bar = vec![' '; BAR_COLUMNS];
        if mark != ' ' {
            bar[from.min(to)..=from.max(to)].fill(mark);
        }
        bar[zero] = '|';
        bar.into_iter().collect::<String>().trim_end().to_owned()
    }
}
