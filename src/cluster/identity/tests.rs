use super::*;

fn record(n: u8) -> RecordKey {
    RecordKey([n; 16])
}

fn id(n: u8) -> IdentityId {
    IdentityId([n; 10])
}

fn cluster(members: &[(u8, Option<u8>)]) -> Vec<Former> {
    let former = |(n, of): &(u8, Option<u8>)| Former { record: record(*n), identity: of.map(id) };
    members.iter().map(former).collect()
}

fn unused(_: &IdentityId) -> bool {
    false
}

#[test]
fn new_records_get_a_new_identity() {
    let got = assign(&[cluster(&[(1, None), (2, None)])], unused);
    assert_eq!(got[0].origin, Origin::Created);
    assert_eq!(got[0].identity, IdentityId::hash([&record(1).0[..], &0u64.to_le_bytes()]));
}

#[test]
fn an_id_is_never_reused() {
    let first = assign(&[cluster(&[(1, None)])], unused)[0].identity;
    let second = assign(&[cluster(&[(1, None)])], |id| *id == first)[0].identity;
    assert_ne!(first, second);
}

#[test]
fn a_joining_record_changes_nothing() {
    let got = assign(&[cluster(&[(1, Some(7)), (2, None)])], unused);
    assert_eq!(got, [Assignment { identity: id(7), origin: Origin::Kept, absorbed: vec![] }]);
}

#[test]
fn a_merge_keeps_the_identity_with_more_records() {
    let got = assign(&[cluster(&[(1, Some(3)), (2, Some(7)), (3, Some(7))])], unused);
    let kept = Assignment { identity: id(7), origin: Origin::Kept, absorbed: vec![id(3)] };
    assert_eq!(got, [kept]);
}

#[test]
fn on_a_split_the_largest_part_keeps_the_id() {
    let clusters = [cluster(&[(1, Some(7))]), cluster(&[(2, Some(7)), (3, Some(7))])];
    let got = assign(&clusters, unused);
    assert_eq!(got[0].origin, Origin::SplitFrom(id(7)));
    assert_eq!(got[1].identity, id(7));
}

#[test]
fn an_even_split_goes_to_the_lowest_record() {
    let clusters = [cluster(&[(2, Some(7))]), cluster(&[(1, Some(7))])];
    let got = assign(&clusters, unused);
    assert_eq!((got[0].origin, got[1].identity), (Origin::SplitFrom(id(7)), id(7)));
}

#[test]
fn the_order_of_clusters_and_records_does_not_matter() {
    let mut clusters = [
        cluster(&[(1, Some(7)), (4, None), (5, Some(8))]),
        cluster(&[(2, Some(7)), (3, Some(7)), (6, Some(9))]),
        cluster(&[(9, None)]),
    ];
    let straight = assign(&clusters, unused);
    clusters.reverse();
    clusters.iter_mut().for_each(|cluster| cluster.reverse());
    let mut turned = assign(&clusters, unused);
    turned.reverse();
    assert_eq!(straight, turned);
}
