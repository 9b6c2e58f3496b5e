//! How does a person read the scores?

use std::fmt;

use super::Scores;

impl fmt::Display for Scores {
    /// Writes an aligned table of three rows and one line of counts, without a line break at the
    /// end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<14} {:>9} {:>9} {:>9}", "", "precision", "recall", "F1")?;
        let rows =
            [("pairwise", self.pairwise), ("B-cubed", self.bcubed), ("exact cluster", self.exact)];
        for (name, prf) in rows {
            writeln!(f, "{name:<14} {:>9.4} {:>9.4} {:>9.4}", prf.precision, prf.recall, prf.f1)?;
        }
        write!(
            f,
            "{} records, {} predicted clusters, {} true clusters",
            Grouped(self.records),
            Grouped(self.predicted_clusters),
            Grouped(self.truth_clusters)
        )
    }
}

/// A count with a comma between thousands.
struct Grouped(usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}
