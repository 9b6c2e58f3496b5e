use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Prf, Scores, TruthKind, read_truth, score};
use crate::error::Kind;

/// Rows from "a:1 b:1 c:2".
fn rows(text: &str) -> Vec<(String, String)> {
    text.split_whitespace()
        .map(|row| row.split_once(':').expect("id:cluster"))
        .map(|(id, cluster)| (id.to_owned(), cluster.to_owned()))
        .collect()
}

#[track_caller]
fn close(found: Prf, precision: f64, recall: f64) {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
    assert!(near(found.precision, precision) && near(found.recall, recall), "{found:?}");
    let sum = precision + recall;
    let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
    assert!(near(found.f1, f1), "{found:?}");
}

#[test]
fn a_perfect_prediction_scores_one() {
    let scores = score(&rows("c:8 a:9 b:9"), &rows("a:1 b:1 c:2"));
    for prf in [scores.pairwise, scores.bcubed, scores.exact] {
        assert_eq!(prf, Prf { precision: 1.0, recall: 1.0, f1: 1.0 });
    }
    assert_eq!((scores.records, scores.predicted_clusters, scores.truth_clusters), (3, 2, 2));
}

/// Truth {a b c} {d e} {f}; predicted {a b} {c d e} {f}.
///
/// Pairs: predicted 1 + 3, true 3 + 1, right ab and de. B-cubed precision: a, b, f 1, c 1/3, d, e
/// 2/3; recall: a, b 2/3, c 1/3, d, e, f 1. Exact: {f} of three on either side.
#[test]
fn a_case_counted_by_hand() {
    let truth = rows("a:1 b:1 c:1 d:2 e:2 f:3");
    let scores = score(&rows("a:x b:x c:y d:y e:y f:z"), &truth);
    close(scores.pairwise, 0.5, 0.5);
    close(scores.bcubed, (3.0 + 5.0 / 3.0) / 6.0, (3.0 + 5.0 / 3.0) / 6.0);
    close(scores.exact, 1.0 / 3.0, 1.0 / 3.0);
}

#[test]
fn one_great_cluster_finds_all_and_is_mostly_wrong() {
    let scores = score(&rows("a:x b:x c:x d:x"), &rows("a:1 b:1 c:2 d:2"));
    close(scores.pairwise, 2.0 / 6.0, 1.0);
    close(scores.bcubed, 0.5, 1.0);
    close(scores.exact, 0.0, 0.0);
}

#[test]
fn records_that_the_prediction_misses_are_clusters_of_one() {
    let scores = score(&rows("a:x"), &rows("a:1 b:1 c:2"));
    assert_eq!(scores.predicted_clusters, 3);
    close(scores.pairwise, 1.0, 0.0);
    close(scores.bcubed, 1.0, 2.0 / 3.0);
    close(scores.exact, 1.0 / 3.0, 1.0 / 2.0);
}

#[test]
fn records_that_the_truth_does_not_know_are_left_out() {
    let truth = rows("a:1 b:1");
    assert_eq!(score(&rows("a:x b:x z:x y:w"), &truth), score(&rows("a:x b:x"), &truth));
}

#[test]
fn of_a_repeated_id_the_first_row_counts() {
    let truth = rows("a:1 b:1 b:2");
    assert_eq!(score(&rows("a:x b:x a:y"), &truth), score(&rows("a:x b:x"), &rows("a:1 b:1")));
}

#[test]
fn no_records_at_all_claim_nothing_wrong() {
    let scores = score(&[], &[]);
    assert_eq!(scores.records, 0);
    close(scores.pairwise, 1.0, 1.0);
    close(scores.bcubed, 1.0, 1.0);
    close(scores.exact, 1.0, 1.0);
}

/// The figures are those of an independent implementation, in Python with numpy, on the same two
/// files.
#[test]
fn an_independent_implementation_agrees() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evaluate");
    let read = |name| read_truth(&folder.join(name)).expect("the fixture is a truth file").rows;
    let scores = score(&read("predicted.csv"), &read("truth.csv"));
    let counts = (scores.records, scores.predicted_clusters, scores.truth_clusters);
    assert_eq!(counts, (300, 81, 38));
    close(scores.pairwise, 0.8092259577795152, 0.3711007529580495);
    close(scores.bcubed, 0.8368579922492966, 0.5350740407468761);
    close(scores.exact, 0.1111111111111111, 0.23684210526315788);
}

#[test]
fn the_table_is_aligned() {
    let scores = Scores {
        records: 104_993,
        predicted_clusters: 999,
        truth_clusters: 1_000_000,
        pairwise: Prf::new(0.977, 0.925),
        bcubed: Prf::new(1.0, 0.5),
        exact: Prf::new(0.0, 0.0),
    };
    let expected = "               precision    recall        F1
pairwise          0.9770    0.9250    0.9503
B-cubed           1.0000    0.5000    0.6667
exact cluster     0.0000    0.0000    0.0000
104,993 records, 999 predicted clusters, 1,000,000 true clusters";
    assert_eq!(scores.to_string(), expected);
}

#[test]
fn scores_survive_json() {
    let scores = score(&rows("a:x b:x c:y"), &rows("a:1 b:2 c:2"));
    let json = serde_json::to_string(&scores).expect("scores are plain numbers");
    assert_eq!(serde_json::from_str::<Scores>(&json).expect("it was written so"), scores);
}

#[track_caller]
fn truth_of(text: &str) -> Result<super::Truth, crate::error::Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("truth.csv");
    fs::write(&path, text).expect("write truth");
    read_truth(&path)
}

#[test]
fn the_header_says_what_the_ids_name() {
    let records = truth_of("record_id,cluster_id\na,1\n").expect("a truth of records");
    assert_eq!((records.kind, records.rows), (TruthKind::Records, rows("a:1")));
    let events = truth_of("\u{feff}person_id,note,event_id\r\n1,x,a\r\n").expect("one of events");
    assert_eq!((events.kind, events.rows), (TruthKind::Events, rows("a:1")));
}

#[test]
fn a_truth_that_cannot_be_one_is_invalid_and_no_value_is_told() {
    let cases = [
        ("id,cluster\nsecret,1\n", "header"),
        ("", "header"),
        ("record_id,cluster_id\nsecret,1\nsecret,2\n", "line 3"),
        ("record_id,cluster_id\nsecret,\n", "line 2"),
        ("record_id,cluster_id\nsecret\n", "row"),
    ];
    for (text, names) in cases {
        let error = truth_of(text).expect_err("it cannot be used");
        assert_eq!(error.kind(), Kind::Invalid);
        let message = error.to_string();
        assert!(message.contains(names) && !message.contains("secret"), "{message}");
    }
}

#[test]
fn a_truth_that_is_not_there_is_invalid() {
    let error = read_truth(Path::new("no/such/truth.csv")).expect_err("there is no such file");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("no/such/truth.csv"));
}

/// Scores straight from the definitions: every pair, every record, every cluster.
fn by_definition(predicted: &[usize], truth: &[usize]) -> [(f64, f64); 3] {
    let n = truth.len();
    let same = |of: &[usize], i: usize, j: usize| of[i] == of[j];
    let (mut right, mut claimed, mut true_pairs) = (0.0, 0.0, 0.0);
    let (mut precision, mut recall) = (0.0, 0.0);
    for i in 0..n {
        let (mut both, mut in_predicted, mut in_truth) = (0.0, 0.0, 0.0);
        for j in 0..n {
            let (p, t) = (same(predicted, i, j), same(truth, i, j));
            both += f64::from(u8::from(p && t));
            in_predicted += f64::from(u8::from(p));
            in_truth += f64::from(u8::from(t));
        }
        precision += both / in_predicted;
        recall += both / in_truth;
        (right, claimed) = (right + both - 1.0, claimed + in_predicted - 1.0);
        true_pairs += in_truth - 1.0;
    }
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 1.0 };
    let clusters = |of: &[usize]| {
        let mut sets: Vec<Vec<usize>> =
            (0..n).map(|i| (0..n).filter(|j| same(of, i, *j)).collect()).collect();
        sets.sort();
        sets.dedup();
        sets
    };
    let (of_predicted, of_truth) = (clusters(predicted), clusters(truth));
    let exact = of_predicted.iter().filter(|set| of_truth.contains(set)).count() as f64;
    [
        (share(right, claimed), share(right, true_pairs)),
        (precision / n as f64, recall / n as f64),
        (share(exact, of_predicted.len() as f64), share(exact, of_truth.len() as f64)),
    ]
}

fn named(clusters: &[usize]) -> Vec<(String, String)> {
    clusters.iter().enumerate().map(|(id, c)| (format!("r{id}"), format!("c{c}"))).collect()
}

proptest! {
    #[test]
    fn equals_the_definitions(pairs in vec((0_usize..6, 0_usize..6), 1..40)) {
        let (predicted, truth): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let scores = score(&named(&predicted), &named(&truth));
        let expected = by_definition(&predicted, &truth);
        for (found, (p, r)) in [scores.pairwise, scores.bcubed, scores.exact].iter().zip(expected) {
            prop_assert!((found.precision - p).abs() < 1e-12 && (found.recall - r).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&found.f1));
        }
    }

    #[test]
    fn precision_one_way_is_recall_the_other(pairs in vec((0_usize..6, 0_usize..6), 1..40)) {
        let (left, right): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let there = score(&named(&left), &named(&right));
        let back = score(&named(&right), &named(&left));
        prop_assert_eq!(there.predicted_clusters, back.truth_clusters);
        let views = |s: &Scores| [s.pairwise, s.bcubed, s.exact];
        for (a, b) in views(&there).iter().zip(views(&back)) {
            prop_assert!((a.precision - b.recall).abs() < 1e-12);
            prop_assert!((a.recall - b.precision).abs() < 1e-12);
        }
    }

    #[test]
    fn neither_order_nor_names_matter(
        pairs in vec((0_usize..6, 0_usize..6), 1..40),
        rotation in 0_usize..40,
    ) {
        let (predicted, truth): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let straight = score(&named(&predicted), &named(&truth));
        let mut rows = named(&predicted);
        for (_, cluster) in &mut rows {
            *cluster = cluster.chars().rev().map(|c| if c == '3' { 'a' } else { c }).collect();
        }
        let middle = rotation % rows.len();
        rows.rotate_left(middle);
        let mut truth = named(&truth);
        truth.reverse();
        prop_assert_eq!(score(&rows, &truth), straight);
    }
}
