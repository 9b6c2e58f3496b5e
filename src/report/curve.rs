//! What precision and recall may be expected of each threshold?

use super::html::Html;

/// What a model expects of one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Merges stop below this match weight, in bits.
    pub threshold_bits: f64,
    /// The share of the pairs put together that are expected to be right, 0 to 1.
    pub precision: f64,
    /// The share of the pairs of one customer that are expected to be put together, 0 to 1.
    pub recall: Option<f64>,
}

/// The plot's frame: left, top, right, bottom.
const FRAME: (f64, f64, f64, f64) = (48.0, 14.0, 620.0, 220.0);

/// Draws the curve, with a mark where the model stands.
pub(super) fn chart(points: &[CurvePoint], threshold_bits: f64) -> Html {
    let (left, top, right, bottom) = FRAME;
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.threshold_bits.total_cmp(&b.threshold_bits));
    let bits = points.iter().map(|point| point.threshold_bits).chain([threshold_bits]);
    let (least, most) =
        bits.fold((f64::MAX, f64::MIN), |(least, most), bits| (least.min(bits), most.max(bits)));
    let shares = points.iter().flat_map(|point| [Some(point.precision), point.recall]).flatten();
    let floor = (shares.fold(1.0_f64, f64::min) * 10.0).floor().clamp(0.0, 9.0) / 10.0;
    let x = |bits: f64| left + (bits - least) / (most - least).max(1e-9) * (right - left);
    let y = |share: f64| bottom - (share - floor) / (1.0 - floor) * (bottom - top);

    let mut html = Html::default();
    html.raw("<svg width=\"660\" height=\"260\" viewBox=\"0 0 660 260\" role=\"img\">")
        .raw("<title>Expected precision and recall by threshold</title>");
    for step in 0..=4 {
        let share = floor + (1.0 - floor) * f64::from(step) / 4.0;
        html.raw("<path class=\"grid\" d=\"M")
            .text(format_args!("{left} {0:.1}H{right}", y(share)))
            .raw("\"/><text text-anchor=\"end\" x=\"42\" y=\"")
            .text(format_args!("{:.1}", y(share) + 4.0))
            .raw("\">")
            .text(format_args!("{share:.2}"))
            .raw("</text>");
    }
    for bits in [least, most, threshold_bits] {
        html.raw("<text text-anchor=\"middle\" y=\"236\" x=\"")
            .text(format_args!("{:.1}", x(bits)))
            .raw("\">")
            .text(format_args!("{bits:+.1}"))
            .raw("</text>");
    }
    html.raw("<text x=\"48\" y=\"254\">threshold in bits; dashed: where the model stands</text>");
    let precision = points.iter().map(|point| (x(point.threshold_bits), y(point.precision)));
    html.add(&line("line-m", precision));
    let recall =
        points.iter().filter_map(|point| Some((x(point.threshold_bits), y(point.recall?))));
    html.add(&line("line-u", recall));
    html.raw("<path class=\"mark\" d=\"M")
        .text(format_args!("{:.1} {top}V{bottom}", x(threshold_bits)))
        .raw("\"/></svg>");
    html
}

fn line(class: &'static str, points: impl Iterator<Item = (f64, f64)>) -> Html {
    let mut html = Html::default();
    html.raw("<path class=\"").raw(class).raw("\" d=\"");
    for (at, (x, y)) in points.enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        html.text(format_args!("{command}{x:.1} {y:.1}"));
    }
    html.raw("\"/>");
    html
}
