//! What does a model believe, in a terminal?

use super::model::{bits, probability, range};
use crate::score::Model;

/// Characters of half a bar.
const HALF: usize = 12;
/// Bits that fill half a bar.
const FULL_BITS: f64 = 18.0;

/// A line a level: its weight as a bar and in bits, m and u, and what value frequencies make of it.
pub fn model_table(model: &Model) -> String {
    let of = &model.parameters;
    let mut lines = vec![
        format!(
            "prior {:+.2} bits, household {:+.2}, threshold {:+.2}",
            of.prior_bits, of.household_bits, of.threshold_bits
        ),
        String::new(),
        format!(
            "{:<14} {:<34} {:>HALF$}|{:<HALF$} {:>7} {:>8} {:>8}",
            "field", "level", "against ", " for", "bits", "m", "u"
        ),
    ];
    for of_field in &model.fields {
        for (index, level) in of_field.levels.iter().enumerate() {
            let (Some(m), Some(u)) = (of_field.m.get(index), of_field.u.get(index)) else {
                continue;
            };
            let name = if index == 0 { of_field.name() } else { "" };
            let label = level.label();
            let bits = bits(model, of_field, index);
            let mut line = format!(
                "{name:<14} {label:<34} {} {bits:>+7.2} {:>8} {:>8}",
                bar(bits),
                probability(*m),
                probability(*u)
            );
            if let Some((least, most)) = range(model, of_field, index) {
                line += &format!("  {least:+.1} to {most:+.1} by frequency");
            } else if index == 0 && of_field.sharing.is_some() {
                line += "  −1 with each doubling of its users";
            }
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn bar(bits: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it lies between 0 and HALF"
    )]
    let length = ((bits.abs() / FULL_BITS).min(1.0) * HALF as f64).round() as usize;
    let (against, speaks) = if bits < 0.0 { (length, 0) } else { (0, length) };
    format!("{:>HALF$}|{:<HALF$}", "▒".repeat(against), "█".repeat(speaks))
}
