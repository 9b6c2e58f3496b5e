//! How are the fields compared, and what is known of them, where nobody says otherwise?

use super::field::FieldModel;
use super::frequencies::Frequencies;
use super::level::Level;
use crate::normalise::lexicon;
use crate::record::Field;

/// The built-in levels of a field, best first; none for a custom field.
pub fn comparison(field: Field) -> Vec<Level> {
    use Level::{
        DateEditOrSwap, DateTwoParts, DaysWithin, Edits, EmailAlike, Exact, Initial,
        InitialOrJaroWinkler, JaroWinkler, Nickname, Otherwise, SameEnding, SameLocalPart,
        SameOutward, SameYear, SharedToken,
    };
    let alike_or_edits =
        |jaro_winkler, edits, length| Level::JaroWinklerOrEdits { jaro_winkler, edits, length };
    match field {
        Field::Given => vec![
            Exact,
            Nickname,
            alike_or_edits(0.92, 1, 4),
            InitialOrJaroWinkler(0.88),
            JaroWinkler(0.80),
            Otherwise,
        ],
        Field::Surname => {
            vec![
                Exact,
                alike_or_edits(0.94, 1, 4),
                JaroWinkler(0.88),
                JaroWinkler(0.82),
                Initial,
                Otherwise,
            ]
        }
        Field::BirthDate => {
            vec![
                Exact,
                DateEditOrSwap,
                DateTwoParts,
                DaysWithin(31.0),
                Edits(2),
                SameYear,
                DaysWithin(366.0),
                Otherwise,
            ]
        }
        Field::Email => {
            vec![Exact, SameLocalPart, Edits(2), EmailAlike { whole: 0.88, local: 0.92 }, Otherwise]
        }
        Field::Phone => vec![Exact, Edits(1), SameEnding(7), Otherwise],
        Field::GovernmentId | Field::House => vec![Exact, Edits(1), Otherwise],
        Field::Street | Field::Street2 => {
            vec![Exact, alike_or_edits(0.94, 2, 0), JaroWinkler(0.88), JaroWinkler(0.80), Otherwise]
        }
        Field::City => vec![Exact, JaroWinkler(0.90), SharedToken, Otherwise],
        Field::Postcode => vec![Exact, Edits(1), SameOutward, Edits(2), Otherwise],
        Field::Region
        | Field::Gender
        | Field::Occupation
        | Field::Loyalty
        | Field::Cookie
        | Field::Device
        | Field::Card => vec![Exact, Otherwise],
        _ => Vec::new(),
    }
}

/// Fields whose similar values, too, say less where they are common: the weights of [`FieldModel::frequency_weights`].
const FUZZY_FREQUENCIES: [f64; 3] = [1.0, 0.5, 0.5];

/// One row of the default table: field, m, u, household share, floor, sharing, typical values.
type Row = (Field, &'static [f64], &'static [f64], f64, Option<f64>, Option<f64>, Option<f64>);

/// Usable untrained; measured: .002–.003 F1 below trained values.
const ROWS: [Row; 18] = [
    (
        Field::Given,
        &[0.66, 0.08, 0.10, 0.05, 0.03, 0.08],
        &[0.005, 0.004, 0.003, 0.010, 0.012, 0.966],
        0.02,
        None,
        None,
        None,
    ),
    (
        Field::Surname,
        &[0.72, 0.11, 0.05, 0.02, 0.02, 0.08],
        &[0.002, 0.001, 0.006, 0.004, 0.003, 0.984],
        0.85,
        None,
        None,
        None,
    ),
    (
        Field::BirthDate,
        &[0.78, 0.09, 0.05, 0.01, 0.02, 0.02, 0.005, 0.025],
        &[0.0001, 0.0006, 0.004, 0.002, 0.0135, 0.0185, 0.01, 0.9513],
        0.01,
        None,
        None,
        Some(2.0),
    ),
    (
        Field::Email,
        &[0.72, 0.06, 0.10, 0.02, 0.10],
        &[0.0001, 0.0005, 0.002, 0.01, 0.9874],
        0.1,
        Some(-1.0),
        Some(0.05),
        Some(5.0),
    ),
    (
        Field::Phone,
        &[0.74, 0.07, 0.02, 0.17],
        &[0.0001, 0.0002, 0.00002, 0.99968],
        0.35,
        Some(-1.0),
        Some(0.15),
        Some(5.0),
    ),
    (
        Field::GovernmentId,
        &[0.90, 0.07, 0.03],
        &[0.00001, 0.0001, 0.99989],
        0.0,
        Some(-9.0),
        None,
        None,
    ),
    (Field::House, &[0.78, 0.08, 0.14], &[0.015, 0.07, 0.915], 0.95, None, None, None),
    (
        Field::Street,
        &[0.66, 0.12, 0.07, 0.03, 0.12],
        &[0.001, 0.002, 0.006, 0.03, 0.961],
        0.95,
        None,
        None,
        None,
    ),
    (
        Field::Street2,
        &[0.62, 0.12, 0.07, 0.04, 0.15],
        &[0.001, 0.002, 0.006, 0.03, 0.961],
        0.95,
        None,
        None,
        None,
    ),
    (Field::City, &[0.72, 0.10, 0.05, 0.13], &[0.01, 0.01, 0.01, 0.97], 0.95, None, None, None),
    (Field::Region, &[0.93, 0.07], &[0.25, 0.75], 0.95, None, None, None),
    (
        Field::Postcode,
        &[0.68, 0.10, 0.05, 0.05, 0.12],
        &[0.001, 0.004, 0.01, 0.03, 0.955],
        0.95,
        None,
        None,
        Some(4.0),
    ),
    (Field::Gender, &[0.97, 0.03], &[0.5, 0.5], 0.3, None, None, None),
    (Field::Occupation, &[0.85, 0.15], &[0.05, 0.95], 0.1, None, None, None),
    (Field::Loyalty, &[0.9, 0.1], &[0.00001, 0.99999], 0.1, Some(-3.0), Some(0.03), Some(2.0)),
    (Field::Cookie, &[0.35, 0.65], &[0.00001, 0.99999], 0.15, Some(0.0), Some(0.10), Some(20.0)),
    (Field::Device, &[0.4, 0.6], &[0.00001, 0.99999], 0.15, Some(0.0), Some(0.10), Some(8.0)),
    (Field::Card, &[0.5, 0.5], &[0.00001, 0.99999], 0.2, Some(0.0), Some(0.15), Some(6.0)),
];

/// What the built-in model knows of every field.
pub(super) fn fields() -> Vec<FieldModel> {
    let built_in = ROWS.iter().map(of_row);
    built_in.chain(Field::CUSTOM.map(FieldModel::unused)).collect()
}

fn of_row(row: &Row) -> FieldModel {
    let (field, m, u, household_share, floor_bits, sharing, typical_values) = *row;
    let frequencies = common_names(field, u[0]);
    let is_name = matches!(field, Field::Given | Field::Surname);
    let is_fuzzy = is_name || matches!(field, Field::City | Field::Postcode | Field::Street);
    FieldModel {
        levels: comparison(field),
        m: m.to_vec(),
        u: u.to_vec(),
        identifier: field.is_identifier(),
        household_share,
        floor_bits,
        sharing,
        typical_values,
        borrowed_level: is_name.then_some(4),
        beyond_names: field == Field::Email,
        unlisted_share: (!frequencies.is_empty()).then_some(u[0]),
        frequencies,
        frequency_weights: if is_fuzzy { FUZZY_FREQUENCIES.to_vec() } else { Vec::new() },
        ..FieldModel::unused(field)
    }
}

/// The names that are commoner than the average agreement by chance: to agree on one of them says less. What the
/// built-in lists say of rare names holds for one country only, so those get no more than the average.
fn common_names(field: Field, above: f64) -> Frequencies {
    let common = match field {
        Field::Given => lexicon::common_given(above),
        Field::Surname => lexicon::common_surnames(above),
        _ => Vec::new(),
    };
    common.into_iter().collect()
}
