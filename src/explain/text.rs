//! How is an explanation written for people? Tables and waterfalls in plain characters.

use std::fmt::{self, Display, Formatter, Write};

use super::waterfall::{group_rows, pair_rows, signed, waterfall};
use super::{
    Between, FieldTerm, How, Meeting, Outcome, Pair, PartKind, RecordView, Step, Verdict, Why,
    WhyNot,
};
use crate::record::{IdentityId, RecordKey};

/// Columns of a value in a table at most.
const VALUE_COLUMNS: usize = 26;
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
        write!(
            f,
            "  {:<14} {a} {b} {:>5} {:>8} {:>8}  {}",
            term.name,
            term.pairs,
            signed(term.best_bits),
            signed(term.mean_bits),
            term.label
        )?;
        if term.apart_bits < 0.0 {
            write!(f, " ({} for no identifier in common)", signed(term.apart_bits))?;
        }
        writeln!(f)?;
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
    line("shared, but made of a value that too many people use", Outcome::Silent)?;
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
