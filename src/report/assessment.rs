//! Where is a result wrong? A page with figures, breakdowns and the worst mistakes.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, CaseRecord, Decisive, total};
use super::html::{Html, grouped, share_bar, weight_bar};
use crate::evaluate::{Assessment, MistakeKind, PairScores, Prf, SizeBand};

/// Records of one part that are shown at most.
const SHOWN_OF_PART: usize = 5;
/// Parts that are shown at most.
const SHOWN_PARTS: usize = 6;

/// What a page is about.
#[derive(Clone, Debug)]
pub struct Heading {
    /// The pipeline's name.
    pub pipeline: String,
    /// What the truth is called.
    pub truth: String,
    /// Why there is no evidence, where there is none.
    pub without_evidence: Option<String>,
}

/// A page about how right a result is. It shows personal values, and says so.
pub fn assessment_page(heading: &Heading, found: &Assessment, cases: &[Case<'_>]) -> String {
    let mut body = Html::default();
    body.raw("<h1>How right are the identities?</h1>\n<p>Pipeline <strong>")
        .value(&heading.pipeline)
        .raw("</strong> against <strong>")
        .value(&heading.truth)
        .raw("</strong></p>\n<p class=\"warning\">This page shows personal values of the records ")
        .raw("it is about: keep it where you keep those, and delete it with them.</p>\n");
    headline(&mut body, found);
    channels(&mut body, found);
    sizes(&mut body, &found.true_sizes, MistakeKind::MissedMerge);
    sizes(&mut body, &found.predicted_sizes, MistakeKind::FalseMerge);
    for kind in [MistakeKind::FalseMerge, MistakeKind::MissedMerge] {
        body.raw(match kind {
            MistakeKind::FalseMerge => "<h2>Worst false merges</h2>\n<p>",
            MistakeKind::MissedMerge => "<h2>Worst missed merges</h2>\n<p>",
        });
        body.text(total(&found.mistakes, kind)).raw(".</p>\n");
        if let Some(reason) = &heading.without_evidence {
            body.raw("<p class=\"note\">Without their evidence: ").text(reason).raw("</p>\n");
        }
        for case in cases.iter().filter(|case| case.mistake.kind == kind) {
            show(&mut body, case);
        }
    }
    body.page("Onefold: error analysis")
}

fn headline(body: &mut Html, found: &Assessment) {
    body.raw(
        "<table>\n<tr><th></th><th class=\"n\">Precision</th><th></th><th class=\"n\">Recall</th>",
    )
    .raw("<th></th><th class=\"n\">F1</th></tr>\n");
    let views = [
        ("pairwise", found.scores.pairwise),
        ("B-cubed", found.scores.bcubed),
        ("exact cluster", found.scores.exact),
    ];
    for (name, prf) in views {
        body.raw("<tr><td>").raw(name).raw("</td>");
        cells(body, prf);
        body.raw("</tr>\n");
    }
    body.raw("</table>\n<p>")
        .text(format_args!(
            "{} records, {} predicted clusters, {} true clusters",
            grouped(found.scores.records as u64),
            grouped(found.scores.predicted_clusters as u64),
            grouped(found.scores.truth_clusters as u64)
        ))
        .raw(".</p>\n");
    if found.unpublished > 0 {
        body.raw("<p class=\"note\">")
            .text(grouped(found.unpublished as u64))
            .raw(" of the records are not published: each counts as a cluster of one.</p>\n");
    }
}

/// Precision, recall and F1 with their bars.
fn cells(body: &mut Html, prf: Prf) {
    for (share, class) in [(prf.precision, "for"), (prf.recall, "m")] {
        body.raw("<td class=\"n\">")
            .text(format_args!("{share:.4}"))
            .raw("</td><td>")
            .add(&share_bar(share, class))
            .raw("</td>");
    }
    body.raw("<td class=\"n\">").text(format_args!("{:.4}", prf.f1)).raw("</td>");
}

fn channels(body: &mut Html, found: &Assessment) {
    body.raw("<h2>By channel</h2>\n<table>\n<tr><th colspan=\"2\">Pairs between</th>")
        .raw("<th class=\"n\">Precision</th><th></th><th class=\"n\">Recall</th><th></th>")
        .raw("<th class=\"n\">F1</th><th class=\"n\">Claimed</th><th class=\"n\">True</th></tr>\n");
    for between in &found.channels {
        let [left, right] = &between.channels;
        body.raw("<tr><td>").value(left).raw("</td><td>").value(right).raw("</td>");
        pairs(body, &between.scores);
    }
    for (name, scores) in
        [("all within one channel", found.within), ("all across channels", found.across)]
    {
        body.raw("<tr class=\"sum\"><td colspan=\"2\">").raw(name).raw("</td>");
        pairs(body, &scores);
    }
    body.raw("</table>\n");
}

fn pairs(body: &mut Html, scores: &PairScores) {
    cells(body, scores.prf);
    for count in [scores.pairs.predicted, scores.pairs.truth] {
        body.raw("<td class=\"n\">").text(grouped(count)).raw("</td>");
    }
    body.raw("</tr>\n");
}

/// The table that explains mistakes of a kind: missed merges by the size of the true cluster, false
/// ones by that of the predicted.
fn sizes(body: &mut Html, bands: &[SizeBand], kind: MistakeKind) {
    body.raw(match kind {
        MistakeKind::MissedMerge => "<h2>By size of the true cluster</h2>\n",
        MistakeKind::FalseMerge => "<h2>By size of the predicted cluster</h2>\n",
    })
    .raw("<table>\n<tr><th class=\"n\">Records</th><th class=\"n\">Clusters</th>")
    .raw("<th class=\"n\">Exact</th><th></th>")
    .raw(match kind {
        MistakeKind::MissedMerge => "<th class=\"n\">Pairs found</th>",
        MistakeKind::FalseMerge => "<th class=\"n\">Pairs right</th>",
    })
    .raw("<th></th><th class=\"n\">B-cubed precision</th><th></th>")
    .raw("<th class=\"n\">recall</th><th></th><th class=\"n\">F1</th></tr>\n");
    for band in bands {
        body.raw("<tr><td class=\"n\">")
            .text(band.label())
            .raw("</td><td class=\"n\">")
            .text(grouped(band.clusters as u64))
            .raw("</td>");
        let shares = [(band.exact_share(), "u"), (band.pairs_share(), "for")];
        for (share, class) in shares {
            body.raw("<td class=\"n\">")
                .text(format_args!("{:.1} %", share * 100.0))
                .raw("</td><td>")
                .add(&share_bar(share, class))
                .raw("</td>");
        }
        cells(body, band.bcubed);
        body.raw("</tr>\n");
    }
    body.raw("</table>\n");
}

fn show(body: &mut Html, case: &Case<'_>) {
    body.raw("<div class=\"card\">\n<h3>")
        .text(case.name())
        .raw("</h3>\n<p>")
        .text(case.summary())
        .raw(".</p>\n");
    side_by_side(body, case);
    if let Some(pair) = &case.decisive {
        evidence(body, case, pair);
    }
    body.raw("</div>\n");
}

/// The records of a case, a row each, grouped by the part they belong to.
fn side_by_side(body: &mut Html, case: &Case<'_>) {
    let used: BTreeSet<&str> = case.records.values().flat_map(|r| names(&r.values)).collect();
    // In the order of the fields, as the records have them.
    let mut fields: Vec<&str> = Vec::new();
    for pair in case.decisive.iter() {
        fields.extend(pair.lines.iter().map(|line| line.field.as_str()));
    }
    fields.extend(used.into_iter().filter(|name| !fields.contains(name)).collect::<Vec<_>>());
    body.raw("<div class=\"scroll\"><table>\n<tr><th>")
        .raw(match case.mistake.kind {
            MistakeKind::FalseMerge => "Person",
            MistakeKind::MissedMerge => "Identity",
        })
        .raw("</th><th>Record</th><th>Channel</th>");
    for field in &fields {
        body.raw("<th>").text(field.replace('_', " ")).raw("</th>");
    }
    body.raw("</tr>\n");
    for part in case.mistake.parts.iter().take(SHOWN_PARTS) {
        // One row a record: its events say the same. The decisive ones first.
        let mut rows: BTreeMap<(bool, &str), Vec<(&str, &str)>> = BTreeMap::new();
        for member in &part.members {
            let (channel, record) =
                member.placed.as_ref().map_or(("not published", ""), |(c, r)| (c, r));
            let key = if record.is_empty() { member.id.as_str() } else { record };
            let first = is_decisive(case, record);
            rows.entry((!first, key)).or_default().push((&member.id, channel));
        }
        let more = rows.len().saturating_sub(SHOWN_OF_PART);
        for (at, ((_, key), members)) in rows.into_iter().take(SHOWN_OF_PART).enumerate() {
            let name = part.cluster.as_deref().filter(|_| at == 0);
            row(body, case, name, key, &members, &fields, at == 0);
        }
        if more > 0 {
            body.raw("<tr><td></td><td class=\"note\" colspan=\"20\">and ")
                .text(grouped(more as u64))
                .raw(" more records</td></tr>\n");
        }
    }
    let more = case.mistake.parts.len().saturating_sub(SHOWN_PARTS);
    if more > 0 {
        body.raw("<tr><td class=\"note\" colspan=\"20\">and ")
            .text(grouped(more as u64))
            .raw(" more such groups</td></tr>\n");
    }
    body.raw("</table></div>\n");
}

fn is_decisive(case: &Case<'_>, record: &str) -> bool {
    case.decisive.as_ref().is_some_and(|pair| pair.records.iter().any(|key| **key == *record))
}

fn row(
    body: &mut Html,
    case: &Case<'_>,
    part: Option<&str>,
    key: &str,
    members: &[(&str, &str)],
    fields: &[&str],
    is_first: bool,
) {
    body.raw("<tr class=\"")
        .raw(if is_first { "first " } else { "" })
        .raw(if is_decisive(case, key) { "decisive" } else { "" })
        .raw("\"><td>")
        .value(part.unwrap_or_default())
        .raw("</td><td><code>");
    let (id, channel) = members.first().copied().unwrap_or_default();
    body.value(id).raw("</code>");
    if members.len() > 1 {
        body.raw(" <span class=\"faint\">and ")
            .text(grouped(members.len() as u64 - 1))
            .raw(" more events</span>");
    }
    body.raw("</td><td>").value(channel).raw("</td>");
    let record: Option<&CaseRecord> = case.records.get(key);
    for field in fields {
        let value = record.and_then(|record| {
            record.values.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
        });
        body.raw("<td>").value(value.unwrap_or_default()).raw("</td>");
    }
    body.raw("</tr>\n");
}

fn names(values: &[(String, String)]) -> impl Iterator<Item = &str> {
    values.iter().map(|(name, _)| name.as_str())
}

/// What the decisive pair says, field by field, down to its weight.
fn evidence(body: &mut Html, case: &Case<'_>, pair: &Decisive) {
    body.raw("<p>").raw(match case.mistake.kind {
        MistakeKind::FalseMerge => "The pair of two people that speaks most for one: <code>",
        MistakeKind::MissedMerge => "The pair that came nearest: <code>",
    });
    body.value(&pair.ids[0]).raw("</code> and <code>").value(&pair.ids[1]).raw("</code>: ");
    body.text(case.verdict().unwrap_or_default()).raw(".");
    let (weighed, of) = case.weighed;
    if weighed < of {
        body.raw(" <span class=\"faint\">")
            .text(format_args!("{} of {} pairs were weighed.", grouped(weighed), grouped(of)))
            .raw("</span>");
    }
    body.raw("</p>\n");
    if pair.is_one_record() {
        return;
    }
    let most = pair.lines.iter().map(|line| line.bits.abs()).chain([pair.prior_bits.abs()]);
    let most = most.fold(1.0, f64::max);
    body.raw("<div class=\"scroll\"><table>\n<tr><th>Field</th><th></th><th class=\"n\">Bits</th>")
        .raw("<th>Level</th><th>One</th><th>The other</th></tr>\n");
    for line in &pair.lines {
        weight(body, &line.field.replace('_', " "), line.bits, most, "<tr><td>");
        body.raw("<td>").text(&line.level).raw("</td>");
        for value in &line.values {
            body.raw("<td>").value(value.as_deref().unwrap_or("–")).raw("</td>");
        }
        body.raw("</tr>\n");
    }
    for (name, bits, said) in [
        ("prior", pair.prior_bits, "two records are rarely one customer"),
        ("household", pair.household_bits(), "what household mates share says less"),
    ] {
        weight(body, name, bits, most, "<tr><td>");
        body.raw("<td class=\"note\" colspan=\"3\">").raw(said).raw("</td></tr>\n");
    }
    weight(body, "match weight", pair.weight_bits, most, "<tr class=\"sum\"><td>");
    body.raw("<td colspan=\"3\">")
        .text(format_args!("merges start at {:+.2}", pair.threshold_bits))
        .raw("</td></tr>\n</table></div>\n");
}

fn weight(body: &mut Html, name: &str, bits: f64, most: f64, row: &'static str) {
    body.raw(row)
        .text(name)
        .raw("</td><td>")
        .add(&weight_bar(bits, most))
        .raw("</td><td class=\"n\">")
        .text(format_args!("{bits:+.2}"))
        .raw("</td>");
}
