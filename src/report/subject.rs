//! What is known of a person, as that person can read it.

use serde_json::Value;

use super::html::Html;

/// What one table says of a person.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// The table's name.
    pub name: &'a str,
    /// What a row of it is.
    pub about: &'a str,
    /// Its columns, each with what it says.
    pub columns: Vec<(&'a str, &'a str)>,
    /// Its rows, as JSON objects.
    pub rows: &'a [Value],
}

/// Rows of up to so many are shown one below the other, each with what its columns say.
const CARDS_MAX: usize = 3;

/// A page with all that a pipeline's tables say of a person; it holds personal values.
pub fn subject_page(pipeline: &str, sections: &[Section<'_>]) -> String {
    let mut html = Html::default();
    html.raw("<h1>What ").text(pipeline).raw(" knows of you</h1>\n<p>");
    html.raw("Every row of every table that speaks of you. Where nothing is said, nothing is known.</p>\n");
    for section in sections {
        html.raw("<h2>").text(section.name).raw("</h2>\n<p>").text(section.about).raw("</p>\n");
        match section.rows.len() {
            0 => html.raw("<p>Nothing.</p>\n"),
            1..=CARDS_MAX => cards(&mut html, section),
            _ => table(&mut html, section),
        };
    }
    html.page(&format!("What {pipeline} knows of you"))
}

/// The columns that any row says something in.
fn said<'s>(section: &'s Section<'_>) -> impl Iterator<Item = (&'s str, &'s str)> {
    let is_said = |name: &str| {
        section.rows.iter().any(|row| match &row[name] {
            Value::Null => false,
            Value::Array(entries) => !entries.is_empty(),
            _ => true,
        })
    };
    section.columns.iter().copied().filter(move |(name, _)| is_said(name))
}

fn cards<'h>(html: &'h mut Html, section: &Section<'_>) -> &'h mut Html {
    for row in section.rows {
        html.raw("<table>\n");
        for (name, about) in said(section) {
            html.raw("<tr><th scope=\"row\">").text(name).raw("</th><td>");
            value(html, &row[name]);
            html.raw("</td><td>").text(about).raw("</td></tr>\n");
        }
        html.raw("</table>\n");
    }
    html
}

fn table<'h>(html: &'h mut Html, section: &Section<'_>) -> &'h mut Html {
    let columns: Vec<_> = said(section).collect();
    html.raw("<table>\n<thead><tr>");
    for (name, about) in &columns {
        html.raw("<th scope=\"col\" title=\"").text(about).raw("\">").text(name).raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for row in section.rows {
        html.raw("<tr>");
        for (name, _) in &columns {
            html.raw("<td>");
            value(html, &row[*name]);
            html.raw("</td>");
        }
        html.raw("</tr>\n");
    }
    html.raw("</tbody>\n</table>\n")
}

fn value(html: &mut Html, it: &Value) {
    match it {
        Value::Null => {}
        Value::String(text) => {
            html.value(text);
        }
        Value::Array(entries) => {
            html.raw("<ul>");
            for entry in entries {
                html.raw("<li>");
                value(html, entry);
                html.raw("</li>");
            }
            html.raw("</ul>");
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, it)| !it.is_null());
            for (at, (name, it)) in members.enumerate() {
                html.raw(if at > 0 { ", " } else { "" }).text(name).raw(": ");
                value(html, it);
            }
        }
        other => {
            html.text(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_says_all_and_no_value_becomes_markup() {
        let many: Vec<Value> = (0..5).map(|n| json!({"event": n, "empty": null})).collect();
        let one = [json!({"name": "<b>Anna</b>", "emails": [{"value": "a@example.org", "at": 1}]})];
        let sections = [
            Section {
                name: "profiles",
                about: "a customer",
                columns: vec![("name", "The name."), ("emails", "All."), ("phones", "None.")],
                rows: &one,
            },
            Section {
                name: "events",
                about: "an event",
                columns: vec![("event", "Which."), ("empty", "Never.")],
                rows: &many,
            },
            Section { name: "letters", about: "letters", columns: Vec::new(), rows: &[] },
        ];
        let page = subject_page("shop", &sections);
        for shown in ["&lt;b&gt;Anna&lt;/b&gt;", "a@example.org", "<td>4</td>", "Nothing."] {
            assert!(page.contains(shown), "{shown}");
        }
        for hidden in ["<b>", "phones", "empty"] {
            assert!(!page.contains(hidden), "{hidden}");
        }
    }
}
