use proptest::prelude::*;

use super::*;

fn record(n: u8) -> RecordKey {
    RecordKey([n; 16])
}

fn id(n: u8) -> IdentityId {
    IdentityId([n; 10])
}

fn membership(rows: &[(u8, u8)]) -> Membership {
    rows.iter().map(|(n, of)| (record(*n), id(*of))).collect()
}

#[test]
fn each_thing_that_can_happen_is_told_apart() {
    let before = membership(&[
        (1, 10), // unchanged
        (2, 20), // grows by what is new
        (3, 30), // ends in 20
        (4, 40), // falls apart
        (5, 40),
        (6, 60), // renamed
        (7, 60),
        (8, 80), // is gone
    ]);
    let after = membership(&[
        (1, 10),
        (2, 20),
        (3, 20),
        (9, 20),
        (4, 40),
        (5, 50),
        (6, 61),
        (7, 61),
        (11, 110), // is new
    ]);
    let difference = Difference::between(&before, &after);
    let identities = IdentityCounts {
        before: 6,
        after: 6,
        unchanged: 1,
        changed: 2,
        renamed: 1,
        created: 1,
        split: 1,
        merged: 1,
        vanished: 1,
    };
    assert_eq!(difference.identities, identities);
    let records = RecordCounts { before: 8, after: 9, same: 3, moved: 4, come: 2, gone: 1 };
    assert_eq!(difference.records, records);
    assert_eq!(difference.pairs, PairCounts { before: 2, after: 2, both: 1 });
    let flow = |from, to, records, from_records, to_records| Flow {
        from: id(from),
        to: id(to),
        records,
        from_records,
        to_records,
    };
    let flows = [flow(60, 61, 2, 2, 2), flow(30, 20, 1, 1, 3), flow(40, 50, 1, 2, 1)];
    assert_eq!(difference.flows, flows);
    assert_eq!(
        difference.moves.first(),
        Some(&Move { record: record(3), from: Some(id(30)), to: Some(id(20)) })
    );
}

#[test]
fn other_ids_for_the_same_partition_are_no_difference_once_carried() {
    let before = membership(&[(1, 10), (2, 10), (3, 30)]);
    let after = membership(&[(1, 77), (2, 77), (3, 78)]);
    assert_eq!(Difference::between(&before, &after).identities.renamed, 2);
    assert_eq!(carry(&before, &after), before);
}

#[test]
fn an_id_goes_to_the_largest_part_and_what_is_new_gets_one_of_its_own() {
    let before = membership(&[(1, 10), (2, 10), (3, 10), (4, 40)]);
    let after = membership(&[(1, 1), (2, 2), (3, 2), (4, 2), (5, 10)]);
    let carried = carry(&before, &after);
    assert_eq!((carried[&record(2)], carried[&record(4)]), (id(10), id(10)));
    let fresh: BTreeSet<IdentityId> = [1, 5].map(|n| carried[&record(n)]).into();
    assert_eq!(fresh.len(), 2);
    assert!(fresh.is_disjoint(&[id(10), id(40)].into()), "ids that were used mean what they meant");
}

fn any_membership() -> impl Strategy<Value = Membership> {
    prop::collection::btree_map(0u8..24, 0u8..9, 0..24)
        .prop_map(|rows| rows.into_iter().map(|(n, of)| (record(n), id(of))).collect())
}

proptest! {
    /// The difference applied to the earlier partition is the later one, and all counts reconcile.
    #[test]
    fn a_difference_leads_from_the_one_to_the_other(
        before in any_membership(),
        after in any_membership(),
    ) {
        let difference = Difference::between(&before, &after);
        prop_assert_eq!(difference.apply(&before), after.clone());
        let RecordCounts { same, moved, come, gone, .. } = difference.records;
        prop_assert_eq!(before.len() as u64, same + moved + gone);
        prop_assert_eq!(after.len() as u64, same + moved + come);
        let i = difference.identities;
        prop_assert_eq!(i.before, i.unchanged + i.changed + i.renamed + i.merged + i.vanished);
        prop_assert_eq!(i.after, i.unchanged + i.changed + i.renamed + i.split + i.created);
        prop_assert_eq!(difference.moves.len() as u64, moved + come + gone);
        prop_assert_eq!(difference.flows.iter().map(|flow| flow.records).sum::<u64>(), moved);
        prop_assert_eq!(difference.is_empty(), before == after);
        prop_assert!(difference.pairs.both <= difference.pairs.before.min(difference.pairs.after));
    }

    /// Carried over, the partition is the same and only ids differ; none moves that need not.
    #[test]
    fn carrying_changes_no_cluster(before in any_membership(), after in any_membership()) {
        let clusters = |membership: &Membership| {
            let mut clusters: BTreeMap<IdentityId, BTreeSet<RecordKey>> = BTreeMap::new();
            for (record, id) in membership {
                clusters.entry(*id).or_default().insert(*record);
            }
            clusters.into_values().collect::<BTreeSet<_>>()
        };
        let carried = carry(&before, &after);
        prop_assert_eq!(clusters(&carried), clusters(&after));
        prop_assert_eq!(carry(&before, &carried), carried);
    }
}
