//! In which groups do the records of one component belong, by the evidence of their fields together?

use super::constraint::Constraints;
use super::groups::Groups;
use crate::score::{Evidence, Model};

/// One step of an agglomeration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// The group that stays, by its lowest node.
    pub kept: usize,
    /// The group that joins it, by its lowest node.
    pub joined: usize,
    /// The match weight of the two groups in bits, whatever made them one.
    pub weight_bits: f64,
    /// What made them one.
    pub by: By,
}

/// What makes two groups one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What their fields say.
    Evidence,
    /// A judgement, whatever their fields say.
    Judgement,
}

/// What was made one, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agglomeration {
    /// The merges in the order they were made.
    pub merges: Vec<Merge>,
    /// The pairs of final groups that would have come next, the strongest first.
    pub refused: Vec<Merge>,
}

/// Merges `nodes` nodes greedily, the strongest pair of groups first, down to the model's threshold.
///
/// `evidence(i, j)`, `i < j`, is what a pair says; nodes must be in an order that depends on their content only.
/// Two groups' field says `share·max + (1 − share)·mean` over the pairs that have a value; an identifier says its
/// maximum; the prior is charged once a merge. Where two groups have no identifier in common, each that both have
/// takes off [`crate::score::Parameters::apart_bits`] with every doubling of its pairs. Groups with a hard conflict
/// between any two members never merge. What was judged comes first: see [`Constraints`]. Returns the merges in the
/// order they were made.
pub fn agglomerate(
    nodes: usize,
    model: &Model,
    constraints: &Constraints,
    evidence: impl Fn(usize, usize) -> Evidence,
) -> Vec<Merge> {
    agglomerate_down_to(f64::INFINITY, nodes, model, constraints, evidence).merges
}

/// As [`agglomerate`], and also the pairs of final groups below the threshold that weigh `least_bits` or more.
pub fn agglomerate_down_to(
    least_bits: f64,
    nodes: usize,
    model: &Model,
    constraints: &Constraints,
    evidence: impl Fn(usize, usize) -> Evidence,
) -> Agglomeration {
    let mut done = Agglomeration::default();
    if nodes < 2 {
        return done;
    }
    let floor = model.parameters.threshold_bits.min(least_bits);
    let joins = constraints.joins(nodes);
    // What pairs in conflict say matters only where a judgement may make them one all the same.
    let mut groups = Groups::new(nodes, model, floor, !joins.is_empty(), evidence);
    groups.take_in(constraints);
    for (kept, joined) in joins {
        let weight_bits = groups.weight(groups.pair(kept, joined));
        groups.merge(kept, joined);
        done.merges.push(Merge { kept, joined, weight_bits, by: By::Judgement });
    }
    let mut is_refused = false;
    while let Some((kept, joined, weight_bits)) = groups.strongest() {
        // From the first pair below the threshold on, groups are final.
        is_refused |= weight_bits < model.parameters.threshold_bits;
        let merge = Merge { kept, joined, weight_bits, by: By::Evidence };
        if !is_refused {
            groups.merge(kept, joined);
            done.merges.push(merge);
        } else if weight_bits >= least_bits {
            groups.keep_apart(kept, joined);
            done.refused.push(merge);
        } else {
            break;
        }
    }
    done
}

/// The groups that merges make of `nodes` nodes, in the order of their lowest nodes.
pub fn groups(nodes: usize, merges: &[Merge]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..nodes).map(|node| vec![node]).collect();
    for merge in merges {
        let joined = std::mem::take(&mut groups[merge.joined]);
        groups[merge.kept].extend(joined);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::said::Said;
    use super::*;
    use crate::record::Field;
    use crate::score::FieldModel;

    /// What a pair says that agrees on the names, and of whose e-mail addresses and numbers this is known.
    fn namesakes(email: f64, phone: f64) -> Evidence {
        let mut evidence = Evidence {
            levels: [0; Field::COUNT],
            bits: [0.0; Field::COUNT],
            swapped: false,
            pairing_bits: 0.0,
        };
        for (field, bits) in [(Field::Surname, 12.0), (Field::Email, email), (Field::Phone, phone)]
        {
            evidence.levels[field as usize] = if bits > 0.0 { 1 } else { 4 };
            evidence.bits[field as usize] = bits;
        }
        evidence
    }

    /// What the last merge weighs of {0, 1} and {2, 3}, each of one address, whose numbers say `phone`.
    fn last_merge(apart_bits: f64, phone: f64) -> f64 {
        let mut model = Model::default_with(50.0);
        model.parameters.apart_bits = apart_bits;
        model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        let evidence = |i: usize, j: usize| {
            if i / 2 == j / 2 { namesakes(19.0, 18.0) } else { namesakes(-1.0, phone) }
        };
        let merges = agglomerate(4, &model, &Constraints::NONE, evidence);
        merges.last().filter(|_| merges.len() == 3).expect("all become one").weight_bits
    }

    #[test]
    fn groups_without_an_identifier_in_common_are_the_less_one_the_more_they_have() {
        // Four pairs, two identifiers: twice the bits of two doublings.
        let difference = last_merge(0.0, -1.0) - last_merge(0.5, -1.0);
        assert!((difference - 2.0).abs() < 1e-9, "{difference}");
    }

    #[test]
    fn a_field_may_speak_late() {
        let mut model = Model::default_with(50.0);
        model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        let silent = Evidence {
            levels: [0; Field::COUNT],
            bits: [0.0; Field::COUNT],
            ..namesakes(0.0, 0.0)
        };
        let alone = agglomerate(2, &model, &Constraints::NONE, |_, _| namesakes(19.0, -1.0));
        let last = |i, _| if i < 2 { silent.clone() } else { namesakes(19.0, -1.0) };
        let merges = agglomerate(4, &model, &Constraints::NONE, last);
        assert_eq!(merges.iter().map(|it| (it.kept, it.joined)).collect::<Vec<_>>(), [(2, 3)]);
        assert_eq!(merges[0].weight_bits, alone[0].weight_bits);
    }

    #[test]
    fn groups_with_an_identifier_in_common_may_differ_in_others() {
        assert_eq!(last_merge(0.0, 18.0), last_merge(0.5, 18.0));
    }

    /// The same merges, where all that two groups say is added up anew whenever it is asked for.
    fn plainly(nodes: usize, model: &Model, said: &[Vec<Evidence>]) -> Vec<Merge> {
        let mut groups: Vec<Vec<usize>> = (0..nodes).map(|node| vec![node]).collect();
        let pairs = |a: &[usize], b: &[usize]| -> Vec<&Evidence> {
            a.iter().flat_map(|i| b.iter().map(|j| &said[*i.min(j)][*i.max(j)])).collect()
        };
        let weight = |pairs: &[&Evidence]| {
            let of_field = |field: &'_ FieldModel| {
                let spoken = pairs.iter().filter(|it| it.levels[field.field as usize] > 0);
                let bits = spoken.map(|it| it.bits[field.field as usize]);
                bits.map(Said::of).fold(Said::NOTHING, Said::and)
            };
            let said: Vec<(&FieldModel, Said)> =
                model.used().map(|field| (field, of_field(field))).collect();
            let in_common = said.iter().any(|(field, said)| said.is_in_common(field));
            let spoken = said.iter().filter(|(_, said)| said.pairs > 0);
            let (mut stranger, mut household) = (0.0, 0.0);
            for (field, said) in spoken {
                let apart_bits = if in_common { 0.0 } else { said.apart_bits(field, model) };
                let bits = said.bits(field, model) + apart_bits;
                stranger += bits;
                household += field.household_evidence(bits);
            }
            // The prior last: sums that are equal must be so to the last bit.
            Model::posterior(
                model.parameters.prior_bits + stranger,
                model.parameters.household_bits + household,
            )
        };
        let mut merges = Vec::new();
        loop {
            let mut strongest: Option<Merge> = None;
            for (kept, a) in groups.iter().enumerate() {
                for (joined, b) in groups.iter().enumerate().skip(kept + 1) {
                    let pairs = pairs(a, b);
                    if pairs.is_empty() || pairs.iter().any(|it| it.is_conflict(model)) {
                        continue;
                    }
                    let weight_bits = weight(&pairs);
                    if strongest.is_none_or(|most| weight_bits > most.weight_bits) {
                        strongest = Some(Merge { kept, joined, weight_bits, by: By::Evidence });
                    }
                }
            }
            let threshold = model.parameters.threshold_bits;
            let Some(merge) = strongest.filter(|it| it.weight_bits >= threshold) else {
                return merges;
            };
            let joined = std::mem::take(&mut groups[merge.joined]);
            groups[merge.kept].extend(joined);
            merges.push(merge);
        }
    }

    pub(in crate::cluster) fn model(prior: f64, threshold: f64, households: bool) -> Model {
        let mut model = Model::default_with(50.0);
        model.parameters.prior_bits = prior;
        model.parameters.threshold_bits = threshold;
        model.parameters.apart_bits = 0.5;
        if !households {
            model.parameters.household_bits = Model::NO_HOUSEHOLDS_BITS;
        }
        model
    }

    /// What a pair says in a few fields.
    pub(in crate::cluster) fn evidence() -> impl Strategy<Value = Evidence> {
        let fields = [Field::Given, Field::Surname, Field::BirthDate, Field::Email, Field::Phone];
        let of_field = prop::option::weighted(0.8, (1_u8..6, -40_i32..160));
        prop::collection::vec(of_field, fields.len()).prop_map(move |said| {
            let mut evidence = namesakes(0.0, 0.0);
            (evidence.levels, evidence.bits) = ([0; Field::COUNT], [0.0; Field::COUNT]);
            for (field, (level, bits)) in
                fields.into_iter().zip(said).filter_map(|(f, s)| Some((f, s?)))
            {
                evidence.levels[field as usize] = level;
                evidence.bits[field as usize] = f64::from(bits) / 10.0;
            }
            evidence
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_500))]

        #[test]
        fn merges_are_those_of_all_that_is_said(
            nodes in 2_usize..9,
            said in prop::collection::vec(prop::collection::vec(evidence(), 9), 9),
            [prior, threshold] in [-25.0_f64..0.0, -6.0..3.0],
            households in any::<bool>(),
        ) {
            let model = model(prior, threshold, households);
            let expected = plainly(nodes, &model, &said);
            let found = agglomerate(nodes, &model, &Constraints::NONE, |i, j| said[i][j].clone());
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!((found.kept, found.joined), (expected.kept, expected.joined));
                prop_assert!((found.weight_bits - expected.weight_bits).abs() < 1e-9);
            }
        }
    }
}
