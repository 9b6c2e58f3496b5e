use proptest::prelude::*;

use super::level::{Meaning, meaning};
use super::*;
use crate::record::Identity;
use crate::score::{Scorer, Terms};

const PEOPLE: &str = include_str!("../../tests/data/splink/people.json");
const ODD: &str = include_str!("../../tests/data/splink/odd.json");

fn imported(text: &str) -> Import {
    import(text, &BTreeMap::new()).unwrap_or_else(|error| panic!("it is imported: {error}"))
}

#[test]
fn conditions_have_counterparts() {
    use Level::{
        All, Any, Beginning, ButForLast, Damerau, DaysWithin, Exact, Jaro, JaroWinkler,
        KilometresWithin, Levenshtein, LocalPart, NumberWithin, SameDomain, SameLeadingLetters,
        SameLocalPart, SameOutward, ShareWithin, SharedToken, SharedTokens,
    };
    let of_x = |level| Ok(Meaning::Level(level, vec!["x".into()]));
    let cases = [
        (r#""x_l" IS NULL OR "x_r" IS NULL"#, Ok(Meaning::Null)),
        ("ELSE", Ok(Meaning::Otherwise)),
        ("x_l = x_r", of_x(Exact)),
        ("x_r = x_l", of_x(Exact)),
        ("`x_l` = `x_r`", of_x(Exact)),
        ("l.x = r.x", of_x(Exact)),
        ("lower(x_l)::varchar = LOWER(cast(x_r as varchar(10)))", of_x(Exact)),
        ("jaro_winkler_sim(x_l, x_r) >= 0.9", of_x(JaroWinkler(0.9))),
        ("0.9 <= jaro_winkler(x_l, x_r)", of_x(JaroWinkler(0.9))),
        ("jaro_similarity(x_l, x_r) > 0.9", of_x(Jaro(0.9_f64.next_up()))),
        ("levenshtein(x_l, x_r) < 3", of_x(Levenshtein(2))),
        ("damerau_levenshtein(x_l, x_r) <= 1", of_x(Damerau(1))),
        ("ABS(EPOCH(x_l) - EPOCH(x_r)) <= 86400", of_x(DaysWithin(1.0))),
        ("ABS(EXTRACT(EPOCH FROM x_l) - EXTRACT(EPOCH FROM x_r))<= 172800", of_x(DaysWithin(2.0))),
        ("abs(datediff(x_l, x_r)) <= floor(200000 / 86400)", of_x(DaysWithin(2.0))),
        ("abs(date_diff('day', x_l, x_r)) <= 30", of_x(DaysWithin(30.0))),
        ("ABS(x_l - x_r) <= 2.5", of_x(NumberWithin(2.5))),
        (
            "(ABS(x_l - x_r) / (CASE WHEN x_r > x_l THEN x_r ELSE x_l END)) < 0.1",
            of_x(ShareWithin(0.1)),
        ),
        ("array_length(list_intersect(x_l, x_r)) >= 1", of_x(SharedToken)),
        ("CARDINALITY(ARRAY_INTERSECT(x_l, x_r)) >= 3", of_x(SharedTokens(3))),
        ("substr(x_l, 1, 4) = substr(x_r, 1, 4)", of_x(Beginning(4))),
        (
            "regexp_extract(x_l, '^[^@]+', 0) = regexp_extract(x_r, '^[^@]+', 0)",
            of_x(SameLocalPart),
        ),
        (
            "regexp_extract(x_l, '@([^@]+)$', 1) = regexp_extract(x_r, '@([^@]+)$', 1)",
            of_x(SameDomain),
        ),
        (
            "jaro_winkler(regexp_extract(x_l, '^[^@]+', 0), regexp_extract(x_r, '^[^@]+', 0)) >= 0.8",
            of_x(LocalPart(Box::new(JaroWinkler(0.8)))),
        ),
        (
            "regexp_extract(x_l, '^[A-Za-z]{1,2}', 0) = regexp_extract(x_r, '^[A-Za-z]{1,2}', 0)",
            of_x(SameLeadingLetters),
        ),
        (
            "substring(x_l from '^[A-Za-z]{1,2}') = substring(x_r from '^[A-Za-z]{1,2}')",
            of_x(SameLeadingLetters),
        ),
        ("x_l = x_r or levenshtein(x_l, x_r) <= 1", of_x(Any(vec![Exact, Levenshtein(1)]))),
        (
            "x_l IS NOT NULL AND substr(x_l, 1, 1) = substr(x_r, 1, 1) AND levenshtein(x_l, x_r) <= 1",
            of_x(All(vec![Beginning(1), Levenshtein(1)])),
        ),
        ("x_l = y_r", Err("it compares x with y")),
        ("x_l = 'john'", Err("it compares with a constant")),
        ("x_l = x_r AND y_l = y_r", Err("it is about several columns together (x, y)")),
        ("soundex(x_l) = soundex(x_r)", Err("soundex() has no counterpart")),
        ("jaccard(x_l, x_r) >= 0.9", Err("jaccard() counts characters there")),
        ("abs(date_diff('month', x_l, x_r)) <= 1", Err("dates are compared by days")),
        ("x_l[1] = x_r[1]", Err("elements of lists")),
        ("x_l = ", Err("it ends too early")),
        ("x_l ~ x_r", Err("`~` is not understood")),
    ];
    for (condition, expected) in cases {
        match (meaning(condition), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{condition}"),
            (Err(found), Err(words)) => assert!(found.starts_with(words), "{condition}: {found}"),
            (found, expected) => panic!("{condition}: {found:?}, not {expected:?}"),
        }
    }
    let sector = "'^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]'";
    let district = "'^[A-Za-z]{1,2}[0-9][A-Za-z0-9]?'";
    for (pattern, level) in [(sector, ButForLast(2)), (district, SameOutward)] {
        let condition =
            format!("regexp_extract(x_l, {pattern}, 0) = regexp_extract(x_r, {pattern}, 0)");
        assert_eq!(meaning(&condition), Ok(Meaning::Level(level, vec!["x".into()])));
    }
    let place = "cast(acos(sin(radians(\"a_l\")) * radians(\"a_r\") + radians(b_r - b_l)) * 6371 as float) <= 25";
    let columns = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(meaning(place), Ok(Meaning::Level(KilometresWithin(25.0), columns)));
}

/// The bits of each comparison of a file, level by level, as Splink computes them: null levels have none.
fn bits(text: &str) -> Vec<Vec<f64>> {
    let settings: Settings = serde_json::from_str(text).expect("it is a model");
    let level = |level: &ComparisonLevel| {
        let m = level.m_probability.as_ref()?.as_f64()?;
        Some((m / level.u_probability.as_ref()?.as_f64()?).log2())
    };
    let of =
        |comparison: &Comparison| comparison.comparison_levels.iter().filter_map(level).collect();
    settings.comparisons.iter().map(of).collect()
}

fn identity(model: &Model, values: &[(&str, &str)]) -> Identity {
    let mut identity = Identity::default();
    for (name, value) in values {
        let field = model.used().find(|field| field.name() == *name);
        identity.set(field.expect("the model has the field").field, value);
    }
    identity
}

fn weight(model: &Model, left: &[(&str, &str)], right: &[(&str, &str)]) -> f64 {
    let mut terms = Terms::default();
    let (left, right) = (identity(model, left), identity(model, right));
    let (left, right) = (terms.features(&left, model), terms.features(&right, model));
    Scorer::new(&terms, model).compare(&left, &right, |_, _| 5.0).weight(model)
}

#[test]
fn a_pair_weighs_what_splink_says() {
    let import = imported(PEOPLE);
    let bits = bits(PEOPLE);
    let anna = [
        ("given", "anna"),
        ("surname", "hartmann"),
        ("birth_date", "19800215"),
        ("postcode", "sw1a1aa"),
        ("city", "york"),
        ("email", "anna.hartmann@x.org"),
        ("birth_place", "leeds"),
        ("location", "51.5,-0.12"),
    ];
    // The other record, and the level of each comparison, 0 the best; none where a value is missing.
    type Case<'a> = (Vec<(&'a str, &'a str)>, [Option<usize>; 8]);
    let cases: [Case<'_>; 5] = [
        (anna.to_vec(), [Some(0); 8]),
        (
            vec![("given", "hartmann"), ("surname", "anna")],
            [Some(4), Some(4), None, None, None, None, None, None],
        ),
        (
            vec![
                ("given", "ann"),
                ("surname", "hartman"),
                ("birth_date", "19800216"),
                ("city", "leeds"),
            ],
            [Some(1), Some(1), Some(1), None, Some(1), None, None, None],
        ),
        (
            vec![
                ("birth_date", "19800301"),
                ("postcode", "sw1a1ab"),
                ("email", "anna.hartmann@y.com"),
                ("location", "51.505,-0.12"),
            ],
            [None, None, Some(2), Some(1), None, Some(1), None, Some(0)],
        ),
        (
            vec![
                ("birth_date", "19801130"),
                ("postcode", "sw1a9zz"),
                ("email", "bob@z.net"),
                ("birth_place", "york"),
                ("location", "52,-0.12"),
            ],
            [None, None, Some(3), Some(2), None, Some(4), Some(1), Some(1)],
        ),
    ];
    let prior = (0.002_f64 / 0.998).log2();
    for (other, levels) in cases {
        let said = levels.iter().zip(&bits).filter_map(|(level, bits)| Some(bits[(*level)?]));
        let expected = prior + said.sum::<f64>();
        let found = weight(&import.model, &anna, &other);
        assert!((found - expected).abs() < 1e-6, "{other:?}: {found}, not {expected}");
    }
}

#[test]
fn an_import_says_what_became_of_everything() {
    let text = |import: Import| {
        let mark = |mapped| if mapped { " " } else { "~" };
        let lines = import.notes.iter().map(|note| format!("{} {}", mark(note.mapped), note.text));
        lines.collect::<Vec<_>>().join("\n")
    };
    let odd = imported(ODD);
    let surname = odd.model.field(Field::Surname);
    assert_eq!(surname.levels.len(), 3, "soundex is left out");
    assert!((surname.m[1] - 0.2).abs() < 1e-12, "and what it had goes to the level below");
    insta::assert_snapshot!("odd", text(odd));
    insta::assert_snapshot!("people", text(imported(PEOPLE)));
}

#[test]
fn what_is_no_model_is_refused() {
    for (text, words) in [
        ("{", "not a settings or model file"),
        ("{}", "it has no `comparisons`"),
        (r#"{"comparisons": [{"comparison_levels": []}]}"#, "no comparison maps"),
    ] {
        let error = import(text, &BTreeMap::new()).expect_err(text).to_string();
        assert!(error.contains(words), "{error}");
    }
    let names = BTreeMap::from([("dob".to_owned(), "Custom1".to_owned())]);
    assert!(import(PEOPLE, &names).is_err(), "a field has a name of small letters");
}

#[test]
fn columns_go_where_they_are_said_to() {
    let names = BTreeMap::from([
        ("birth_place".to_owned(), "region".to_owned()),
        ("City".to_owned(), "home".to_owned()),
    ]);
    let model = import(PEOPLE, &names).expect("it is imported").model;
    assert!(model.field(Field::Region).is_used());
    assert!(!model.field(Field::City).is_used());
    assert!(model.used().any(|field| field.name() == "home" && field.field.is_custom()));
}

proptest! {
    /// Whatever m and u are, the weight is the prior's and that of the first level that holds.
    #[test]
    fn weights_survive(
        m in prop::collection::vec(0.001..0.999_f64, 4),
        u in prop::collection::vec(0.001..0.999_f64, 4),
        prior in 0.0001..0.5_f64,
        left in "[ab]{1,4}",
        right in "[ab]{1,4}",
    ) {
        let levels = serde_json::json!([
            {"sql_condition": "word_l IS NULL OR word_r IS NULL", "is_null_level": true},
            {"sql_condition": "word_l = word_r", "m_probability": m[0], "u_probability": u[0]},
            {"sql_condition": "levenshtein(word_l, word_r) <= 1", "m_probability": m[1], "u_probability": u[1]},
            {"sql_condition": "substr(word_l, 1, 1) = substr(word_r, 1, 1)", "m_probability": m[2], "u_probability": u[2]},
            {"sql_condition": "ELSE", "m_probability": m[3], "u_probability": u[3]},
        ]);
        let model = serde_json::json!({
            "probability_two_random_records_match": prior,
            "comparisons": [{"output_column_name": "word", "comparison_levels": levels}],
        });
        let import = imported(&model.to_string());
        let level = if left == right {
            0
        } else if strsim::levenshtein(&left, &right) <= 1 {
            1
        } else if left[..1] == right[..1] {
            2
        } else {
            3
        };
        let expected = (prior / (1.0 - prior)).log2() + (m[level] / u[level]).log2();
        let found = weight(&import.model, &[("word", &left)], &[("word", &right)]);
        prop_assert!((found - expected).abs() < 1e-6, "{} {}: {}, not {}", left, right, found, expected);
    }
}
