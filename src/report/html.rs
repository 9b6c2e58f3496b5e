//! How is markup written so that no value can become markup?

use std::fmt::{Display, Write};

/// A piece of a page. What is not a literal of this program goes through [`Html::text`].
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup as it stands here.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds a text, escaped for elements and for quoted attributes alike.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        write!(Escaping(&mut self.0), "{text}").expect("texts take all");
        self
    }

    /// Adds a value of unknown script, so that its direction does not reach beyond it.
    pub(super) fn value(&mut self, value: impl Display) -> &mut Self {
        self.raw("<bdi>").text(value).raw("</bdi>")
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, piece: &Self) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// A whole page around this body.
    pub(super) fn page(&self, title: &str) -> String {
        let mut page = Self::default();
        page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
            .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .raw("<meta http-equiv=\"Content-Security-Policy\" ")
            .raw("content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>")
            .text(title)
            .raw("</title>\n<style>\n")
            .raw(include_str!("page.css"))
            .raw("</style>\n</head>\n<body>\n")
            .add(self)
            .raw("</body>\n</html>\n");
        page.0
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Escapes what is written to it.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // A page may not hold these at all.
                '\t' | '\n' => self.0.push(character),
                control if control.is_control() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Pixels of a bar chart's row.
const BAR_WIDTH: f64 = 240.0;

/// A bar from the middle to the right for more than 0, to the left for less; `most` fills a half.
pub(super) fn weight_bar(bits: f64, most: f64) -> Html {
    whiskered_bar(bits, None, most)
}

/// The same with a line from the least to the greatest value that it may take.
pub(super) fn whiskered_bar(bits: f64, range: Option<(f64, f64)>, most: f64) -> Html {
    let middle = BAR_WIDTH / 2.0;
    let place = |bits: f64| middle + (bits / most.max(1e-9)).clamp(-1.0, 1.0) * middle;
    let (from, to) = (middle.min(place(bits)), middle.max(place(bits)));
    let mut html = Html::default();
    html.raw("<svg class=\"bar\" width=\"240\" height=\"14\" viewBox=\"0 0 240 14\" role=\"img\">")
        .raw("<title>")
        .text(format_args!("{bits:+.2} bits"))
        .raw("</title><rect class=\"")
        .raw(if bits < 0.0 { "against" } else { "for" })
        .raw("\" x=\"")
        .text(format_args!("{from:.1}"))
        .raw("\" y=\"2\" height=\"10\" width=\"")
        .text(format_args!("{:.1}", (to - from).max(0.5)))
        .raw("\"/>");
    if let Some((least, most)) = range {
        html.raw("<path class=\"whisker\" d=\"M")
            .text(format_args!("{:.1} 7H{:.1}", place(least), place(most)))
            .raw("\"/>");
    }
    html.raw("<path class=\"axis\" d=\"M120 0V14\"/></svg>");
    html
}

/// A bar from the left for a share from 0 to 1.
pub(super) fn share_bar(share: f64, class: &'static str) -> Html {
    let mut html = Html::default();
    html.raw("<svg class=\"bar\" width=\"100\" height=\"10\" viewBox=\"0 0 100 10\" role=\"img\">")
        .raw("<title>")
        .text(format_args!("{:.1} %", share * 100.0))
        .raw("</title><rect class=\"track\" x=\"0\" y=\"0\" width=\"100\" height=\"10\"/>")
        .raw("<rect class=\"")
        .raw(class)
        .raw("\" x=\"0\" y=\"0\" height=\"10\" width=\"")
        .text(format_args!("{:.1}", share.clamp(0.0, 1.0) * 100.0))
        .raw("\"/></svg>");
    html
}

/// A whole number with separators, `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
