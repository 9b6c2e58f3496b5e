//! How is an explanation written for people? Tables and waterfalls in plain characters.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    Between, FieldTerm, How, Meeting, Outcome, Pair, PartKind, RecordView, Step, Sum, Verdict, Why,
    WhyNot,
};
use crate::record::{IdentityId, RecordKey};

/// Columns of a value in a table at most.
const VALUE_COLUMNS: usize = 26;
/// Columns of the waterfall's bars.
const BAR_COLUMNS: usize = 40;
/// Columns of a line of a list.
const LINE_COLUMNS: usize = 96;
/// Steps on the way to a merge that are shown at most.
const PATH_STEPS: usize = 6;

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [left, right] = &self.records;
        if left.record == right.record {
            let identity = name(left.belongs_to);
            writeln!(f, "one record: the same content is the same record ({identity})")?;
        } else if self.together {
            let records = records(self.merges + 1);
            writeln!(f, "together: both of identity {}, {records}", name(left.belongs_to))?;
        } else {
            let (a, b) = (name(left.belongs_to), name(right.belongs_to));
            writeln!(f, "apart: identities {a} and {b}")?;
        }
        write_records(f, &self.records)?;
        write_fields(f, &self.pair)?;
        waterfall(f, &pair_rows(&self.pair), &self.pair.sum)?;
        if self.pair.is_conflict {
            writeln!(
                f,
                "they exclude each other under the model: nothing else makes them one person"
            )?;
        }
        writeln!(f)?;
        write_keys(f, &self.keys)?;
        self.write_path(f)
    }
}

impl Why {
    fn write_path(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some((last, before)) = self.steps.split_last() else { return Ok(()) };
        writeln!(f)?;
        let merges = self.merges;
        let by = if last.judged { " by judgement" } else { "" };
        if last.between.sizes == [1, 1] {
            return write!(f, "merged directly{by}, in step {} of {merges}", last.number);
        }
        let [kept, joined] = last.between.sizes.map(records);
        writeln!(f, "joined{by} in step {} of {merges}, {kept} and {joined}:", last.number)?;
        if !before.is_empty() {
            let hidden = before.len().saturating_sub(PATH_STEPS);
            for step in &before[hidden..] {
                writeln!(f, "  {}", step_line(step))?;
            }
            if hidden > 0 {
                writeln!(f, "  ({hidden} more before: `onefold how` shows all)")?;
            }
        }
        writeln!(f)?;
        write_between(f, &last.between)?;
        waterfall(f, &group_rows(&last.between), &last.between.sum)
    }
}

impl Display for WhyNot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [left, right] = self.records.each_ref().map(|record| name(record.belongs_to));
        let sum = &self.between.sum;
        let (weight, threshold) = (signed(sum.weight_bits), signed(sum.threshold_bits));
        if self.verdict == Verdict::Together {
            return write!(f, "together: both of identity {left}; `onefold why` says why");
        }
        let [of_left, of_right] = self.between.sizes.map(records);
        writeln!(f, "apart: identity {left}, {of_left}, and identity {right}, {of_right}")?;
        match self.verdict {
            Verdict::BelowThreshold => writeln!(
                f,
                "together they weigh {weight}: {:.2} bits less than the {threshold} from \
                 which groups merge",
                self.missing_bits
            )?,
            Verdict::Conflict => writeln!(
                f,
                "two of their records exclude each other under the model, which nothing outweighs \
                 (together they weigh {weight})"
            )?,
            Verdict::NeverCompared => writeln!(
                f,
                "together they would weigh {weight}, enough to merge, but they are in \
                 different components: no candidate pair links them"
            )?,
            Verdict::JudgedApart => writeln!(
                f,
                "they were judged to be apart, which no evidence overrules (together they weigh \
                 {weight})"
            )?,
            Verdict::ComponentSplit | Verdict::Together => writeln!(
                f,
                "together they would weigh {weight}, enough to merge, but their component is \
                 over its cap and was split between them"
            )?,
        }
        write_records(f, &self.records)?;
        write_between(f, &self.between)?;
        waterfall(f, &group_rows(&self.between), sum)?;
        for [a, b] in self.between.conflicts.iter().take(PATH_STEPS) {
            writeln!(f, "hard conflict: {a} and {b}")?;
        }
        writeln!(f)?;
        match (self.links, &self.strongest_link) {
            (links, Some(link)) => {
                let ([a, b], bits) = (link.records, signed(link.weight_bits));
                let links = plural(links, "candidate pair links", "candidate pairs link");
                writeln!(f, "{links} the two; the strongest, {bits}: {a} and {b}")?;
            }
            _ => {
                writeln!(f, "no two of their records were compared and weigh enough to link them")?
            }
        }
        write_keys(f, &self.keys)?;
        let pair = signed(self.pair.sum.weight_bits);
        write!(f, "the two records by themselves weigh {pair}; `onefold why` shows them")
    }
}

impl Display for How {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "identity {}, {}", self.identity, records(self.records.len()))?;
        writeln!(f)?;
        for (record, number) in self.records.iter().zip(1..) {
            writeln!(f, "  {number:>3}  {}", record_line(record))?;
            writeln!(f, "       {}", values_line(record))?;
        }
        if self.steps.len() + 1 < self.records.len() {
            writeln!(
                f,
                "\nthe steps below do not join all of them, which is a bug: please report"
            )?;
        }
        let number = |key: RecordKey| {
            self.records.iter().position(|record| record.record == key).map_or(0, |at| at + 1)
        };
        for step in &self.steps {
            let [kept, joined] = step.between.sizes.map(records);
            let (a, b) = (number(step.kept), number(step.joined));
            writeln!(
                f,
                "\nstep {}: group {a} ({kept}) and group {b} ({joined}) merge {} {}",
                step.number,
                if step.judged { "by judgement, at" } else { "at" },
                signed(step.between.sum.weight_bits)
            )?;
            waterfall(f, &group_rows(&step.between), &step.between.sum)?;
        }
        if self.steps.is_empty() {
            writeln!(f, "\none record: nothing was merged")?;
        }
        Ok(())
    }
}

fn name(id: Option<IdentityId>) -> String {
    id.map_or_else(|| "none".into(), |id| id.to_string())
}

fn records(count: usize) -> String {
    plural(count, "record", "records")
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn write_records(f: &mut Formatter<'_>, records: &[RecordView; 2]) -> fmt::Result {
    writeln!(f)?;
    for (record, name) in records.iter().zip(["A", "B"]) {
        writeln!(f, "  {name}  {}", record_line(record))?;
    }
    writeln!(f)
}

fn record_line(record: &RecordView) -> String {
    let row = record.record_id.as_ref().map(|id| format!(", row {id}")).unwrap_or_default();
    format!("record {} of {}{row}", record.record, record.source)
}

fn values_line(record: &RecordView) -> String {
    let value = |(name, value): &(String, String)| format!("{name} {value}");
    let values: Vec<String> = record.values.iter().map(value).collect();
    if values.is_empty() { "nothing to match by".into() } else { values.join(", ") }
}

/// Bits with their sign; what rounds to nothing has none of it.
fn signed(bits: f64) -> String {
    if bits.abs() < NOTHING_BITS { "0.00".into() } else { format!("{bits:+.2}") }
}

/// Less is not shown.
const NOTHING_BITS: f64 = 0.005;

/// A text of so many columns, cut or filled up.
fn column(text: &str, columns: usize) -> String {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(columns).collect();
    if chars.next().is_some() {
        cut = cut.chars().take(columns - 1).chain(['…']).collect();
    }
    format!("{cut:<columns$}")
}

fn write_fields(f: &mut Formatter<'_>, pair: &Pair) -> fmt::Result {
    let value = |value: &Option<String>| column(value.as_deref().unwrap_or("–"), VALUE_COLUMNS);
    writeln!(
        f,
        "  {:<14} {} {} agreement",
        "field",
        value(&Some("A".into())),
        value(&Some("B".into()))
    )?;
    for term in &pair.fields {
        let (left, right) = (value(&term.left), value(&term.right));
        writeln!(f, "  {:<14} {left} {right} {}", term.name, agreement(term))?;
    }
    writeln!(f)
}

/// A field's level, and what its bits are made of where that is more than the level.
fn agreement(term: &FieldTerm) -> String {
    let mut text = term.label.clone();
    if let Some(people @ 2.0..) = term.people {
        write!(text, ", used by about {people:.0} people").expect("a text grows");
    }
    if term.parts.len() > 1 {
        let parts = term.parts.iter().map(|part| {
            let kind = match part.kind {
                PartKind::Level => "level",
                PartKind::Frequency if part.bits < 0.0 => "common value",
                PartKind::Frequency => "rare value",
                PartKind::Sharing => "identifier",
                PartKind::Names => "what the names say already",
                PartKind::Swap => "crosswise",
                PartKind::Pairing => "what the surname says already",
            };
            format!("{kind} {}", signed(part.bits))
        });
        write!(text, " ({})", parts.collect::<Vec<_>>().join(", ")).expect("a text grows");
    }
    text
}

fn write_between(f: &mut Formatter<'_>, between: &Between) -> fmt::Result {
    if between.fields.is_empty() {
        return writeln!(f, "  no field that both have\n");
    }
    let head = |text: &str| column(text, VALUE_COLUMNS);
    let (a, b) = (head("best pair"), head(""));
    writeln!(f, "  {:<14} {a} {b} {:>5} {:>8} {:>8}  agreement", "field", "pairs", "best", "mean")?;
    for term in &between.fields {
        let [a, b] = term.values.each_ref().map(|value| column(value, VALUE_COLUMNS));
        writeln!(
            f,
            "  {:<14} {a} {b} {:>5} {:>8} {:>8}  {}",
            term.name,
            term.pairs,
            signed(term.best_bits),
            signed(term.mean_bits),
            term.label
        )?;
    }
    writeln!(f)
}

fn step_line(step: &Step) -> String {
    let [kept, joined] = step.between.sizes.map(records);
    let mut terms: Vec<_> = step.between.fields.iter().filter(|term| term.bits > 0.0).collect();
    terms.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    let strongest = terms.iter().take(3).map(|term| format!("{} {:+.1}", term.name, term.bits));
    format!(
        "step {}: {kept} of {} and {joined} of {} at {}: {}",
        step.number,
        step.kept,
        step.joined,
        signed(step.between.sum.weight_bits),
        strongest.collect::<Vec<_>>().join(", ")
    )
}

fn write_keys(f: &mut Formatter<'_>, keys: &[Meeting]) -> fmt::Result {
    let of = |outcome: Outcome| keys.iter().filter(move |key| key.outcome == outcome);
    let named = |key: &Meeting| match (key.outcome, key.narrowed) {
        (Outcome::Used, 1) => format!("{} (narrowed once)", key.rule),
        (Outcome::Used, 2..) => format!("{} (narrowed {} times)", key.rule, key.narrowed),
        _ => key.rule.clone(),
    };
    let mut line = |intro: &str, outcome| match of(outcome).map(named).collect::<Vec<_>>() {
        keys if keys.is_empty() => Ok(()),
        keys => writeln!(f, "{intro}:{}", wrapped(&keys)),
    };
    line("compared because they share", Outcome::Used)?;
    line("shared, but over its cap, and they differ in what narrows it", Outcome::Parted)?;
    line("shared, but over its cap however it is narrowed", Outcome::Capped)?;
    if of(Outcome::Used).next().is_none() {
        writeln!(f, "no blocking key brings the two records together: only a third record can")?;
    }
    Ok(())
}

/// A list on as many lines as it takes.
fn wrapped(items: &[String]) -> String {
    let (mut text, mut columns) = (String::new(), LINE_COLUMNS);
    for (item, number) in items.iter().zip(1..) {
        let end = if number == items.len() { "" } else { ";" };
        let length = item.chars().count() + 2;
        if columns + length > LINE_COLUMNS {
            text.push_str("\n ");
            columns = 1;
        }
        write!(text, " {item}{end}").expect("a text grows");
        columns += length;
    }
    text
}

/// A bar: its name, its bits, and those against a household mate.
type Row<'a> = (&'a str, f64, f64);

fn pair_rows(pair: &Pair) -> Vec<Row<'_>> {
    let spoken = pair.fields.iter().filter(|term| term.level > 0 || term.bits != 0.0);
    spoken.map(|term| (&*term.name, term.bits, term.household_bits)).collect()
}

fn group_rows(between: &Between) -> Vec<Row<'_>> {
    let terms = between.fields.iter();
    terms.map(|term| (&*term.name, term.bits, term.household_bits)).collect()
}

/// Writes how terms add up: each bar begins where the one before ended, `|` is zero.
fn waterfall(f: &mut Formatter<'_>, terms: &[Row<'_>], sum: &Sum) -> fmt::Result {
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
