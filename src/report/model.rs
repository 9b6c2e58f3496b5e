//! What does a model believe? A page with the match weight of every level.

use super::curve::{self, CurvePoint};
use super::html::{Html, grouped, share_bar, whiskered_bar};
use crate::score::{Exclusive, FieldModel, Model};

/// A page about a model: match weights per level, with m and u beside them.
pub fn model_page(model: &Model) -> String {
    model_page_with_curve(model, &[])
}

/// The same, with what the model expects of each threshold; no curve where there are no points.
pub fn model_page_with_curve(model: &Model, curve: &[CurvePoint]) -> String {
    let mut body = Html::default();
    body.raw("<h1>Match weights</h1>\n<p>Model: ")
        .value(&model.provenance)
        .raw(". A weight says how much a level of agreement speaks for one customer (right) or ")
        .raw("against (left): log<sub>2</sub>(m ÷ u) bits; 1 bit doubles the odds.</p>\n");
    facts(&mut body, model);
    if !curve.is_empty() {
        body.raw(
            "<h2>Expected precision and recall</h2>\n<p class=\"note\">Estimated without labels; ",
        )
        .raw("precision in blue, recall in ochre.</p>\n")
        .add(&curve::chart(curve, model.parameters.threshold_bits));
    }
    body.raw(
        "<h2>Levels</h2>\n<p class=\"note\">m: how often records of one customer agree so; u: ",
    )
    .raw("how often records of two do. The thin line is what the frequency of the value makes ")
    .raw("of it, from the commonest value to one that was never seen.</p>\n<div class=\"scroll\">")
    .raw("<table>\n<tr><th>Field</th><th>Level</th><th></th><th class=\"n\">Bits</th>")
    .raw("<th class=\"n\">m</th><th></th><th class=\"n\">u</th><th></th></tr>\n");
    let most = most_bits(model);
    for of_field in model.fields.iter().filter(|of_field| of_field.is_used()) {
        rows(&mut body, model, of_field, most);
    }
    body.raw("</table></div>\n");
    body.page("Onefold: match weights")
}

/// The numbers that are not of one field.
fn facts(body: &mut Html, model: &Model) {
    let of = &model.parameters;
    let mut fact = |name: &'static str, value: String| {
        body.raw("<dt>").raw(name).raw("</dt><dd>").text(value).raw("</dd>\n");
    };
    fact(
        "Prior",
        format!(
            "{:+.2} bits: of {} pairs of records one is of one customer",
            of.prior_bits,
            count((-of.prior_bits).exp2())
        ),
    );
    fact(
        "Household",
        format!(
            "{:+.2} bits: pairs of one customer to one pair of household mates: {:.2}",
            of.household_bits,
            of.household_bits.exp2()
        ),
    );
    fact("Threshold", format!("merges stop below {:+.2} bits", of.threshold_bits));
    fact("Made from", format!("about {} customers", count(of.entities)));
    fact("Format", format!("version {}", model.version));
}

fn rows(body: &mut Html, model: &Model, of_field: &FieldModel, most: f64) {
    for (index, level) in of_field.levels.iter().enumerate() {
        let (Some(m), Some(u)) = (of_field.m.get(index), of_field.u.get(index)) else { continue };
        let bits = bits(model, of_field, index);
        body.raw(if index == 0 { "<tr class=\"first\"><td>" } else { "<tr><td>" });
        if index == 0 {
            body.raw("<strong>").text(of_field.name().replace('_', " ")).raw("</strong>");
        }
        body.raw("</td><td>")
            .text(level.label())
            .raw("</td><td>")
            .add(&whiskered_bar(bits, range(model, of_field, index), most))
            .raw("</td><td class=\"n\">")
            .text(format_args!("{bits:+.2}"))
            .raw("</td><td class=\"n\">")
            .text(probability(*m))
            .raw("</td><td>")
            .add(&share_bar(*m, "m"))
            .raw("</td><td class=\"n\">")
            .text(probability(*u))
            .raw("</td><td>")
            .add(&share_bar(*u, "u"))
            .raw("</td></tr>\n");
    }
    let notes = notes(model, of_field);
    if !notes.is_empty() {
        body.raw("<tr><td></td><td class=\"note\" colspan=\"7\">")
            .text(notes.join("; "))
            .raw("</td></tr>\n");
    }
}

/// What a reader of the bars should know of a field.
fn notes(model: &Model, of_field: &FieldModel) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(sharing) = of_field.sharing {
        notes.push(format!(
            "an exact agreement weighs {:+.1} bits where one person seems to use the value, {:+.1} where eight do",
            model.shared_bits(sharing, 1.0),
            model.shared_bits(sharing, 8.0),
        ));
    } else if let Some((least, most)) = range(model, of_field, 0) {
        notes.push(format!(
            "adjusted by the frequency of the value ({} listed): {least:+.1} to {most:+.1} bits",
            grouped(of_field.frequencies.len() as u64)
        ));
    }
    if let Some(floor) = of_field.floor_bits {
        notes.push(format!("no level weighs less than {floor:+.1} bits"));
    }
    if of_field.household_share >= 0.2 {
        notes.push(format!("household mates agree in {:.0} %", of_field.household_share * 100.0));
    }
    match of_field.exclusive {
        Some(Exclusive::Different) => {
            notes.push("different values are never one customer's".into())
        }
        Some(Exclusive::Equal) => notes.push("equal values are never one customer's".into()),
        None => {}
    }
    if let Some(limit) = of_field.limit {
        notes.push(format!("a value that more than {limit} people seem to use says nothing"));
    }
    if !of_field.blocked.is_empty() {
        notes.push(format!("values that say nothing: {}", grouped(of_field.blocked.len() as u64)));
    }
    notes
}

/// The weight of a level; of a value that one person uses, where the exact level depends on that.
pub(super) fn bits(model: &Model, of_field: &FieldModel, index: usize) -> f64 {
    match (index, of_field.sharing) {
        (0, Some(sharing)) => model.shared_bits(sharing, 1.0),
        _ => of_field.level_bits(u8::try_from(index + 1).unwrap_or(u8::MAX)),
    }
}

/// What term frequencies make of an exact agreement: from the commonest value to the rarest.
pub(super) fn range(model: &Model, of_field: &FieldModel, index: usize) -> Option<(f64, f64)> {
    if index > 0 || of_field.sharing.is_some() || of_field.frequencies.is_empty() {
        return None;
    }
    let floor = 0.5 / model.parameters.entities.max(50.0);
    let unlisted = of_field.unlisted_share.unwrap_or(floor);
    let (rarest, commonest) = of_field.frequencies.range()?;
    let weight = of_field.frequency_weights.first().copied().unwrap_or(1.0);
    let adjusted =
        |share: f64| bits(model, of_field, 0) + weight * (of_field.u[0] / share.max(floor)).log2();
    Some((adjusted(commonest.max(unlisted)), adjusted(rarest.min(unlisted))))
}

/// The bits that fill half a bar: those of the heaviest level.
fn most_bits(model: &Model) -> f64 {
    let of_fields = model.fields.iter().flat_map(|of_field| {
        let levels = 0..of_field.levels.len().min(of_field.m.len());
        let weights = levels.map(move |index| bits(model, of_field, index).abs());
        weights.chain(range(model, of_field, 0).map(|(least, most)| least.abs().max(most.abs())))
    });
    of_fields.filter(|bits| bits.is_finite()).fold(1.0, f64::max)
}

/// A probability with three digits that say something.
pub(super) fn probability(p: f64) -> String {
    if p >= 0.01 { format!("{p:.3}") } else { format!("{p:.1e}") }
}

/// About how many.
fn count(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about how many")]
    let number = number.clamp(0.0, 1e18).round() as u64;
    grouped(number)
}
