use super::*;
use crate::normalise::text::latin;

/// The rows of a list of names in their own script and in the Latin spellings that their bearers use.
fn names(script: &str) -> Vec<(String, Vec<String>)> {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/names/scripts.csv");
    let mut reader = csv::Reader::from_path(path).expect("the file is there");
    let rows = reader.records().collect::<Result<Vec<_>, _>>().expect("the file is CSV");
    rows.iter()
        .filter(|row| &row[0] == script)
        .map(|row| (row[1].to_owned(), row[2].split('|').map(str::to_owned).collect()))
        .collect()
}

/// The fewest edits between a name's spelling and one that its bearers use.
fn edits(spelt: &str, used: &[String]) -> usize {
    used.iter().map(|name| strsim::osa_distance(spelt, name)).min().unwrap_or(usize::MAX)
}

#[test]
fn names_are_spelt_as_their_bearers_do() {
    for (script, exact, near) in
        [("cyrillic", 0.9, 0.97), ("greek", 0.85, 0.97), ("kana", 0.95, 1.0)]
    {
        let rows = names(script);
        let off: Vec<(usize, String)> = rows
            .iter()
            .map(|(name, used)| (edits(&latin(name), used), format!("{name}: {}", latin(name))))
            .collect();
        let table: Vec<usize> = rows
            .iter()
            .map(|(name, used)| {
                let mut spelt = deunicode::deunicode(name).to_ascii_lowercase();
                spelt.retain(|c| c.is_ascii_lowercase());
                edits(&spelt, used)
            })
            .collect();
        let share = |least: usize, of: &[usize]| {
            of.iter().filter(|edits| **edits <= least).count() as f64 / of.len() as f64
        };
        let ours: Vec<usize> = off.iter().map(|(edits, _)| *edits).collect();
        let wrong: Vec<_> = off.iter().filter(|(edits, _)| *edits > 0).collect();
        assert!(rows.len() >= 30, "{script}: {}", rows.len());
        assert!(
            share(0, &ours) >= exact && share(1, &ours) >= near,
            "{script}: {:.2} and {:.2}; the table: {:.2} and {:.2}; {wrong:#?}",
            share(0, &ours),
            share(1, &ours),
            share(0, &table),
            share(1, &table),
        );
        assert!(share(0, &ours) > share(0, &table) + 0.1, "{script} needs no rules");
    }
}

#[test]
fn a_beginning_ends_with_its_script() {
    assert_eq!(spell_beginning("Яна Smith"), Some(("yana".into(), " Smith")));
    assert_eq!(spell_beginning("Smith Яна"), None);
    assert_eq!(spell_beginning(""), None);
}
