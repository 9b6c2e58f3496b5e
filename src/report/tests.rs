//! The pages hold what they should, and nothing of a value becomes markup.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::html::{Html, grouped};
use super::*;
use crate::evaluate::{Placed, Truth, TruthKind, assess};
use crate::score::Model;

const HOSTILE: &str = "</td><script>alert(\"x\")</script><img src=x onerror='y'>&amp;";

/// No page may load, run or leak anything.
#[track_caller]
fn assert_stands_alone(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for banned in ["<script", "<img", "<link", "<iframe", "http:", "https:", "url(", "@import"] {
        assert!(!page.contains(banned), "{banned}");
    }
    for tag in ["table", "tr", "td", "th", "div", "p", "svg", "bdi", "code", "dl", "h2", "h3"] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_text_is_escaped() {
    let mut html = Html::default();
    html.raw("<p title=\"").text(HOSTILE).raw("\">").value("a\u{0}b\tc").raw("</p>");
    let expected = "<p title=\"&lt;/td&gt;&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;\
                    &lt;img src=x onerror=&#39;y&#39;&gt;&amp;amp;\"><bdi>a\u{fffd}b\tc</bdi></p>";
    assert_eq!(html.as_str(), expected);
}

proptest! {
    #[test]
    fn no_text_holds_markup(text in ".*") {
        let mut html = Html::default();
        html.text(&text);
        prop_assert!(!html.as_str().contains(['<', '>', '"', '\'']));
        let entities = html.as_str().matches('&').count();
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        let escaped: usize = known.iter().map(|known| html.as_str().matches(known).count()).sum();
        prop_assert_eq!(entities, escaped);
    }
}

#[test]
fn counts_are_grouped() {
    assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}

/// The cells of the rows of a page's table that begin with a field's name, up to the next field.
fn level_rows(page: &str, field: &str) -> Vec<String> {
    let start = page.find(&format!("<strong>{field}</strong>")).expect("the field has rows");
    let rest = &page[start..];
    let end = rest.find("<tr class=\"first\">").unwrap_or(rest.len());
    rest[..end].lines().map(strip).collect()
}

/// A line's text without its markup.
fn strip(line: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for character in line.replace("</td>", " | ").chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    text.trim().to_owned()
}

#[test]
fn a_model_is_shown_level_by_level() {
    let model = Model::default_with(100_000.0);
    let page = model_page(&model);
    assert_stands_alone(&page);
    for field in model.fields.iter().filter(|field| field.is_used()) {
        assert!(page.contains(&format!("<strong>{}<", field.name().replace('_', " "))));
    }
    assert_eq!(
        level_rows(&page, "birth date").join("\n"),
        "birth date | exact | +12.93 bits | +12.93 | 0.780 | 78.0 % | 1.0e-4 | 0.0 % |
 | one edit, or day and month swapped | +7.23 bits | +7.23 | 0.090 | 9.0 % | 6.0e-4 | 0.1 % |
 | two of year, month, day | +3.64 bits | +3.64 | 0.050 | 5.0 % | 4.0e-3 | 0.4 % |
 | ≤ 31 days apart | +2.32 bits | +2.32 | 0.010 | 1.0 % | 2.0e-3 | 0.2 % |
 | ≤ 2 edits | +0.57 bits | +0.57 | 0.020 | 2.0 % | 0.013 | 1.4 % |
 | same year | +0.11 bits | +0.11 | 0.020 | 2.0 % | 0.018 | 1.8 % |
 | ≤ 366 days apart | -1.00 bits | -1.00 | 5.0e-3 | 0.5 % | 0.010 | 1.0 % |
 | different | -5.25 bits | -5.25 | 0.025 | 2.5 % | 0.951 | 95.1 % |"
            .replace("\n |", "\n|")
    );
    let phone = level_rows(&page, "phone").join("\n");
    assert!(phone.contains("weighs +19.3 bits where one person seems to use the value"), "{phone}");
    let surname = level_rows(&page, "surname").join("\n");
    assert!(surname.contains("adjusted by the frequency of the value"), "{surname}");
    assert!(page.contains("-16.61 bits: of 100,000 pairs"), "{page}");
    assert!(!page.contains("Expected precision"));
}

#[test]
fn a_curve_is_drawn_where_there_is_one() {
    let model = Model::default_with(1_000.0);
    let point = |threshold_bits: f64, precision: f64, recall: f64| CurvePoint {
        threshold_bits,
        precision,
        recall: Some(recall),
    };
    let curve = [point(0.0, 0.98, 0.9), point(-3.0, 0.92, 0.97), point(-1.5, 0.95, 0.93)];
    let page = model_page_with_curve(&model, &curve);
    assert_stands_alone(&page);
    assert!(page.contains("Expected precision"));
    // From the least threshold to the greatest, whatever the order they come in.
    assert!(page.contains("class=\"line-m\" d=\"M48.0 178.8L334.0 117.0L620.0 55.2\""), "{page}");
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn a_hostile_model_stays_text() {
    let mut model = Model::default_with(1_000.0);
    model.provenance = HOSTILE.into();
    model.fields[0].name = Some(HOSTILE.into());
    assert_stands_alone(&model_page(&model));
}

#[test]
fn a_model_is_a_short_table() {
    let table = model_table(&Model::default_with(100_000.0));
    let lines: Vec<&str> = table.lines().collect();
    let excerpt: Vec<&str> =
        lines[..3].iter().chain(lines.iter().filter(|l| l.contains("e-4"))).copied().collect();
    let expected = "\
prior -16.61 bits, household +2.00, threshold -3.00

field          level                                  against | for            bits        m        u
birth_date     exact                                          |█████████     +12.93    0.780   1.0e-4
               one edit, or day and month swapped             |█████          +7.23    0.090   6.0e-4";
    assert_eq!(excerpt[..5].join("\n"), expected);
    assert!(table.contains("by frequency") && table.contains("doubling of its users"));
}

/// An identity of two people, and what its records say.
fn placed() -> Vec<Placed> {
    ["a", "b"]
        .map(|id| Placed {
            id: id.into(),
            identity: "x".into(),
            channel: "web".into(),
            record: format!("key-{id}").into(),
        })
        .to_vec()
}

fn decisive() -> Decisive {
    let line = |field: &str, bits: f64, left: &str, right: Option<&str>| Line {
        field: field.into(),
        level: "exact".into(),
        bits,
        values: [Some(left.into()), right.map(Into::into)],
    };
    Decisive {
        ids: ["a".into(), "b".into()],
        records: ["key-a".into(), "key-b".into()],
        lines: vec![
            line("birth_date", 12.9, "19800229", Some("19800229")),
            line("surname", 8.5, HOSTILE, Some("smith")),
            line("phone", 0.0, "+441632960000", None),
        ],
        prior_bits: -16.6,
        weight_bits: 3.3,
        threshold_bits: -3.0,
        rules: vec!["surname, birth year".into()],
    }
}

fn values(pairs: &[(&str, &str)]) -> CaseRecord {
    let own = |(field, value): &(&str, &str)| ((*field).to_owned(), (*value).to_owned());
    CaseRecord { source: "web".into(), values: pairs.iter().map(own).collect() }
}

/// Shows the case of `placed` with the evidence of `decisive`.
fn shown<T>(show: impl FnOnce(&crate::evaluate::Assessment, &[Case<'_>]) -> T) -> T {
    let rows = vec![("a".to_owned(), "p1".to_owned()), ("b".to_owned(), "p2".to_owned())];
    let truth = Truth { kind: TruthKind::Events, rows };
    let found = assess(&placed(), &truth, 5);
    let records = BTreeMap::from([
        ("key-a".into(), values(&[("surname", HOSTILE), ("birth_date", "19800229")])),
        ("key-b".into(), values(&[("surname", "smith"), ("birth_date", "19800229")])),
    ]);
    let mistake = &found.mistakes.worst[0];
    let case = Case { mistake, records, decisive: Some(decisive()), weighed: (1, 1) };
    show(&found, &[case])
}

#[test]
fn a_mistake_is_told_without_a_value() {
    let text = shown(|found, cases| cases_text(&found.mistakes, cases));
    let expected = "\
Worst false merges (1 identity holds several people: 1 wrong pair)
  identity x: 2 records of 2 people (1 + 1), 1 wrong pair (100.0 %)
    a and b: +3.30 bits, where merges start at -3.00; they meet under surname, birth year
    +12.9 birth_date exact, +8.5 surname exact, -16.6 prior, -1.5 household

Worst missed merges (0 people have several identities: 0 missed pairs)";
    assert_eq!(text, expected);
}

#[test]
fn a_mistake_is_shown_side_by_side_and_no_value_is_markup() {
    let heading = Heading {
        pipeline: HOSTILE.into(),
        truth: HOSTILE.into(),
        without_evidence: Some(HOSTILE.into()),
    };
    let page = shown(|found, cases| assessment_page(&heading, found, cases));
    assert_stands_alone(&page);
    assert!(page.contains("This page shows personal values"));
    let lines: Vec<String> = page.lines().map(strip).collect();
    let has = |text: &str| assert!(lines.iter().any(|line| line == text), "{text}: {lines:#?}");
    has("p2 | b | web | 19800229 | smith |  |");
    has("birth date | +12.90 bits | +12.90 | exact | 19800229 | 19800229 |");
    has("phone | +0.00 bits | +0.00 | exact | +441632960000 | – |");
    has("household | -1.50 bits | -1.50 | what household mates share says less |");
    has("match weight | +3.30 bits | +3.30 | merges start at -3.00 |");
    assert!(page.contains("&lt;/td&gt;&lt;script&gt;"));
}

/// The fields, the prior and the household term come to the weight.
#[test]
fn the_bits_add_up() {
    let pair = decisive();
    let fields: f64 = pair.lines.iter().map(|line| line.bits).sum();
    let sum = fields + pair.prior_bits + pair.household_bits();
    assert!((sum - pair.weight_bits).abs() < 1e-12);
}

#[test]
fn one_record_of_two_people_says_so() {
    let text = shown(|found, cases| {
        let one = Decisive { records: ["key-a".into(), "key-a".into()], ..decisive() };
        let case = Case { decisive: Some(one), ..cases[0].clone() };
        let page = assessment_page(
            &Heading { pipeline: "p".into(), truth: "t".into(), without_evidence: None },
            found,
            std::slice::from_ref(&case),
        );
        assert_stands_alone(&page);
        case.verdict()
    });
    assert!(text.is_some_and(|text| text.starts_with("one record: the two have the same content")));
}
