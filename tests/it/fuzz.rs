//! What fuzzing found stays mended: every input that is kept passes its check.
//!
//! The checks are those of the fuzz targets; `docs/fuzzing.md` tells how to look for more.

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a crate of its own for cargo-fuzz")]
mod checks;

use std::fs;
use std::panic::catch_unwind;

use crate::support::repository;

/// Runs the check of one target over its corpus.
#[track_caller]
fn check_corpus(target: &str) {
    let (_, check) = checks::CHECKS.iter().find(|(name, _)| *name == target).expect("a check");
    let folder = repository("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("every target has a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{target}: the corpus was not found");
    let fails = |path: &&std::path::PathBuf| {
        let bytes = fs::read(path).expect("read an input");
        catch_unwind(|| check(&bytes)).is_err()
    };
    let failed: Vec<_> = files.iter().filter(fails).collect();
    assert!(failed.is_empty(), "these fail: {failed:?}");
}

macro_rules! corpora {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            check_corpus(stringify!($target));
        })*

        #[test]
        fn every_target_has_its_test_and_its_binary() {
            let names = checks::CHECKS.map(|(name, _)| name);
            assert_eq!([$(stringify!($target)),*], names);
            let manifest = fs::read_to_string(repository("fuzz/Cargo.toml")).expect("read it");
            for name in names {
                assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "no binary {name}");
            }
        }
    };
}

corpora! { decode mapping normalise rows snapshot delta pipeline model }
