//! How does a person read the scores?

use std::fmt;

use super::{Assessment, PairScores, Scores, SizeBand};

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

impl fmt::Display for Assessment {
    /// Writes the scores and the breakdowns, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scores)?;
        if self.unpublished > 0 {
            let count = Grouped(self.unpublished);
            write!(f, "\n{count} of the records are not published: each is a cluster of one")?;
        }
        write!(
            f,
            "\n\n{:<27} {:>9} {:>9} {:>9} {:>13} {:>13}",
            "Pairs by channel", "precision", "recall", "F1", "claimed", "true"
        )?;
        for between in &self.channels {
            line(f, &between.channels.join(" – "), &between.scores)?;
        }
        if self.channels.len() > 1 {
            line(f, "all within one channel", &self.within)?;
            line(f, "all across channels", &self.across)?;
        }
        sizes(f, "Size of true cluster", "found", &self.true_sizes)?;
        sizes(f, "Size of predicted cluster", "right", &self.predicted_sizes)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, scores: &PairScores) -> fmt::Result {
    let PairScores { pairs, prf } = scores;
    let [claimed, truth] = [pairs.predicted, pairs.truth]
        .map(|count| Grouped(usize::try_from(count).unwrap_or(usize::MAX)).to_string());
    write!(
        f,
        "\n{name:<27} {:>9.4} {:>9.4} {:>9.4} {claimed:>13} {truth:>13}",
        prf.precision, prf.recall, prf.f1
    )
}

fn sizes(f: &mut fmt::Formatter<'_>, title: &str, pairs: &str, bands: &[SizeBand]) -> fmt::Result {
    write!(
        f,
        "\n\n{title:<27} {:>9} {:>9} {:>9} {:>13} {:>13}",
        "clusters",
        "records",
        "exact",
        format!("pairs {pairs}"),
        "B-cubed F1"
    )?;
    for band in bands {
        write!(
            f,
            "\n{:<27} {:>9} {:>9} {:>8.1}% {:>12.1}% {:>13.4}",
            band.label(),
            Grouped(band.clusters).to_string(),
            Grouped(band.records).to_string(),
            band.exact_share() * 100.0,
            band.pairs_share() * 100.0,
            band.bcubed.f1
        )?;
    }
    Ok(())
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
