use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{
    Assessment, MistakeKind, Placed, Prf, Scores, Truth, TruthKind, assess, read_truth, score,
};
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

/// The header of Senzing's truth sets, in their order and in another.
#[test]
fn keys_name_ids_by_their_source() {
    for text in [
        "CLUSTER_ID,RECORD_ID,DATA_SOURCE\n1,1001,CUSTOMERS\n1,1001,WATCHLIST\n",
        "TEST_GROUP,CLUSTER_ID,DATA_SOURCE,RECORD_ID\n9,1,CUSTOMERS,1001\n9,1,WATCHLIST,1001\n",
    ] {
        let truth = truth_of(text).expect("a truth of keys");
        assert_eq!(truth.kind, TruthKind::Keys);
        let ids: Vec<&str> = truth.rows.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["customers:1001", "watchlist:1001"]);
        assert_eq!(ids[0], TruthKind::key("Customers", "1001"));
    }
    let error = truth_of("CLUSTER_ID,RECORD_ID,DATA_SOURCE\n1,1001,\n").expect_err("no source");
    assert!(error.to_string().contains("line 2: the data source is empty"), "{error}");
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

/// Where things are, from "id:identity:channel:record".
fn placed(text: &str) -> Vec<Placed> {
    let place = |row: &str| {
        let parts: Vec<&str> = row.split(':').collect();
        let [id, identity, channel, record] = parts[..] else { panic!("{row}") };
        Placed {
            id: id.into(),
            identity: identity.into(),
            channel: channel.into(),
            record: record.into(),
        }
    };
    text.split_whitespace().map(place).collect()
}

fn truth(text: &str) -> Truth {
    Truth { kind: TruthKind::Events, rows: rows(text) }
}

/// Truth {a b c} {d e} {f} {g}; predicted {a b} {c d e} {f}, and g nowhere.
fn by_hand() -> Assessment {
    let placed = placed(
        "a:x:web:ra b:x:web:rb c:y:store:rc d:y:web:rd e:y:store:re f:z:web:rf stray:z:web:rs",
    );
    assess(&placed, &truth("a:1 b:1 c:1 d:2 e:2 f:3 g:4"), 3)
}

#[test]
fn pairs_are_counted_by_channel() {
    let found = by_hand();
    assert_eq!((found.scores.records, found.unpublished), (7, 1));
    let lines: Vec<_> = found
        .channels
        .iter()
        .map(|between| {
            let pairs = between.scores.pairs;
            (between.channels.join(" "), pairs.predicted, pairs.truth, pairs.right)
        })
        .collect();
    // Claimed are ab, cd, ce and de; true are ab, ac, bc and de.
    let expected = [("store store", 1, 0, 0), ("store web", 2, 3, 1), ("web web", 1, 1, 1)];
    assert_eq!(lines, expected.map(|(names, p, t, r)| (names.to_owned(), p, t, r)));
    close(found.within.prf, 0.5, 1.0);
    close(found.across.prf, 0.5, 1.0 / 3.0);
}

#[test]
fn clusters_are_counted_by_size() {
    let found = by_hand();
    let bands = |bands: &[super::SizeBand]| -> Vec<_> {
        let line = |band: &super::SizeBand| {
            (band.label(), band.clusters, band.records, band.exact, band.pairs, band.right)
        };
        bands.iter().map(line).collect()
    };
    let named = |(label, a, b, c, d, e): (&str, _, _, _, _, _)| (label.to_owned(), a, b, c, d, e);
    let of_truth = [("1", 2, 2, 2, 0, 0), ("2", 1, 2, 0, 1, 1), ("3", 1, 3, 0, 3, 1)];
    assert_eq!(bands(&found.true_sizes), of_truth.map(named));
    let of_predicted = [("1", 2, 2, 2, 0, 0), ("2", 1, 2, 0, 1, 1), ("3", 1, 3, 0, 3, 1)];
    assert_eq!(bands(&found.predicted_sizes), of_predicted.map(named));
    // Of {a b c}: a and b lie in a pure cluster, c in one of three.
    close(found.true_sizes[2].bcubed, (1.0 + 1.0 + 1.0 / 3.0) / 3.0, (2.0 * 2.0 + 1.0) / 9.0);
}

#[test]
fn large_clusters_share_a_band() {
    let text: String = (0..120).map(|id| format!("i{id}:x ")).collect();
    let found = assess(&[], &truth(&text), 0);
    let band = found.true_sizes[0];
    assert_eq!((band.label().as_str(), band.pairs, band.right), ("100+", 7140, 0));
    assert_eq!(found.true_sizes.len(), 1);
    assert_eq!(found.predicted_sizes[0].label(), "1");
}

#[test]
fn the_worst_mistakes_are_named_with_their_parts() {
    let found = by_hand().mistakes;
    assert_eq!((found.false_merges.clusters, found.false_merges.pairs), (1, 2));
    assert_eq!((found.missed_merges.clusters, found.missed_merges.pairs), (1, 2));
    let [merge, miss] = &found.worst[..] else { panic!("{found:?}") };
    let parts = |mistake: &super::Mistake| -> Vec<(Option<String>, String)> {
        let ids = |part: &super::Part| {
            part.members.iter().map(|member| member.id.as_str()).collect::<Vec<_>>().join(" ")
        };
        mistake.parts.iter().map(|part| (part.cluster.clone(), ids(part))).collect()
    };
    assert_eq!((merge.kind, merge.cluster.as_str()), (MistakeKind::FalseMerge, "y"));
    assert_eq!(parts(merge), [(Some("2".into()), "d e".into()), (Some("1".into()), "c".into())]);
    assert_eq!((miss.kind, miss.cluster.as_str()), (MistakeKind::MissedMerge, "1"));
    assert_eq!(parts(miss), [(Some("x".into()), "a b".into()), (Some("y".into()), "c".into())]);
    assert_eq!(miss.records(), 3);
    assert!((miss.share - 1.0).abs() < 1e-12);
    let member = &merge.parts[0].members[0];
    assert_eq!(member.placed, Some(("web".into(), "rd".into())));
}

#[test]
fn what_is_not_published_is_a_part_of_its_own() {
    let found = assess(&placed("a:x:web:ra"), &truth("a:1 b:1"), 1).mistakes;
    let parts = &found.worst[0].parts;
    assert_eq!((parts[0].cluster.as_deref(), parts[1].cluster.as_deref()), (Some("x"), None));
    assert_eq!(parts[1].members[0].placed, None);
}

#[test]
fn so_many_mistakes_of_either_kind_are_named_the_heaviest_first() {
    let truth = truth("a:1 b:1 c:1 d:2 e:2 f:3 g:4");
    let placed = placed("a:x:w:a d:x:w:d b:x:w:b e:y:w:e f:y:w:f c:z:w:c g:z:w:g");
    let names = |limit: usize| -> Vec<String> {
        assess(&placed, &truth, limit).mistakes.worst.iter().map(|m| m.cluster.clone()).collect()
    };
    assert_eq!(names(0), Vec::<String>::new());
    assert_eq!(names(1), ["x", "1"]);
    assert_eq!(names(9), ["x", "z", "y", "1", "2"]);
    let found = assess(&placed, &truth, 0).mistakes;
    assert_eq!((found.false_merges.clusters, found.false_merges.pairs), (3, 4));
}

#[test]
fn the_breakdown_is_aligned() {
    let expected = "               precision    recall        F1
pairwise          0.5000    0.5000    0.5000
B-cubed           0.8095    0.8095    0.8095
exact cluster     0.5000    0.5000    0.5000
7 records, 4 predicted clusters, 4 true clusters
1 of the records are not published: each is a cluster of one

Pairs by channel            precision    recall        F1       claimed          true
store – store                  0.0000    1.0000    0.0000             1             0
store – web                    0.5000    0.3333    0.4000             2             3
web – web                      1.0000    1.0000    1.0000             1             1
all within one channel         0.5000    1.0000    0.6667             2             1
all across channels            0.5000    0.3333    0.4000             2             3

Size of true cluster         clusters   records     exact   pairs found    B-cubed F1
1                                   2         2    100.0%        100.0%        1.0000
2                                   1         2      0.0%        100.0%        0.8000
3                                   1         3      0.0%         33.3%        0.6481

Size of predicted cluster    clusters   records     exact   pairs right    B-cubed F1
1                                   2         2    100.0%        100.0%        1.0000
2                                   1         2      0.0%        100.0%        0.8000
3                                   1         3      0.0%         33.3%        0.6481";
    assert_eq!(by_hand().to_string(), expected);
}

proptest! {
    /// The parts come to the whole, whatever the order.
    #[test]
    fn breakdowns_add_up(
        rows in vec((0_usize..5, 0_usize..5, 0_usize..3, proptest::bool::weighted(0.9)), 1..40),
        rotation in 0_usize..40,
    ) {
        let mut predicted = Vec::new();
        let mut true_rows = Vec::new();
        for (at, (cluster, person, channel, is_published)) in rows.iter().enumerate() {
            true_rows.push((format!("r{at}"), format!("p{person}")));
            if *is_published {
                let row = format!("r{at}:c{cluster}:ch{channel}:k{at}");
                predicted.extend(placed(&row));
            }
        }
        let truth = Truth { kind: TruthKind::Records, rows: true_rows };
        let found = assess(&predicted, &truth, 9);
        let plain: Vec<(String, String)> =
            predicted.iter().map(|p| (p.id.to_string(), p.identity.to_string())).collect();
        prop_assert_eq!(&found.scores, &score(&plain, &truth.rows));

        let sum = |of: fn(&super::Pairs) -> u64| -> u64 {
            found.channels.iter().map(|between| of(&between.scores.pairs)).sum()
        };
        let (claimed, true_pairs, right) = (sum(|p| p.predicted), sum(|p| p.truth), sum(|p| p.right));
        let of_bands = |bands: &[super::SizeBand]| -> (u64, u64) {
            (bands.iter().map(|b| b.pairs).sum(), bands.iter().map(|b| b.right).sum())
        };
        prop_assert_eq!(of_bands(&found.true_sizes), (true_pairs, right));
        prop_assert_eq!(of_bands(&found.predicted_sizes), (claimed, right));
        prop_assert_eq!(found.mistakes.false_merges.pairs, claimed - right);
        prop_assert_eq!(found.mistakes.missed_merges.pairs, true_pairs - right);
        let exact = |bands: &[super::SizeBand]| bands.iter().map(|b| b.exact).sum::<usize>();
        prop_assert_eq!(exact(&found.true_sizes), exact(&found.predicted_sizes));

        let middle = rotation % rows.len();
        let mut turned = truth.clone();
        turned.rows.rotate_left(middle);
        predicted.reverse();
        prop_assert_eq!(assess(&predicted, &turned, 9), found);
    }
}
