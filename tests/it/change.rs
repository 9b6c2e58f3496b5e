//! Another model, another backfill: what changes is told, and ids stay.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use onefold::sink::tables::IDENTITY_CHANGES;

use crate::support::events::{Expected, stream};
use crate::support::pipeline::{self, INTERVAL};
use crate::support::program::{Program, onefold};
use crate::support::tables::{Tables, word};
use crate::support::{folder, text, wait_until};

/// A command on the few made-up customers of the repository, with its tables in `folder`.
fn shop(folder: &Path, arguments: &[&str]) -> Program {
    onefold(arguments)
        .env("EVENTS_DIR", "tests/data/events")
        .env("OUT", text(&folder.join("out")))
        .env("STATE", text(&folder.join("state")))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copy a file");
        }
    }
}

/// A text without the ids in it, which every change of the normaliser changes.
fn masked(text: &str) -> String {
    let is_id = |word: &str| word.len() == 20 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive([' ', '\n']).map(|word| match is_id(word.trim_end()) {
        true => word.replace(word.trim_end(), "<id>"),
        false => word.to_owned(),
    });
    words.collect()
}

#[test]
fn another_model_is_looked_at_then_taken_over() {
    let folder = folder();
    let (out, earlier) = (folder.path().join("out"), folder.path().join("earlier"));
    let events = "pipelines/events.toml";
    shop(folder.path(), &["backfill", events]).succeed();
    copy(&out, &earlier);
    let harder = pipeline::changed(
        "events.toml",
        folder.path(),
        &[("[match]\n", "[match]\nthreshold_bits = 4\n")],
    );
    let harder = text(&harder);
    let refused = shop(folder.path(), &["backfill", harder]).run();
    assert_eq!(refused.code, Some(2), "{refused:?}");

    let mut texts = String::new();
    let mut tell = |title: &str, said: &str| {
        writeln!(texts, "$ onefold {title}\n{}", masked(said)).expect("a text grows");
    };
    let error = refused.log.lines().find(|line| line.starts_with("error:"));
    tell("backfill HARDER", error.expect("it says why"));
    let same = shop(folder.path(), &["diff", text(&earlier), events]).succeed().output;
    tell("diff EARLIER PIPELINE", &same);
    let foreseen = shop(folder.path(), &["diff", harder]).succeed().output;
    tell("diff HARDER", &foreseen);
    let done = shop(folder.path(), &["rematch", harder]).succeed().output;
    assert!(done.starts_with(foreseen.trim_end()), "{foreseen}\n{done}");
    let again = shop(folder.path(), &["rematch", harder]).succeed().output;
    tell("rematch HARDER, again", &again);
    let found = shop(folder.path(), &["diff", text(&earlier), text(&out)]).succeed().output;
    assert_eq!(found, foreseen);
    for (arguments, said) in [
        (&["diff", "nowhere", text(&out)][..], "diff nowhere OUT"),
        (&["diff", text(&out)][..], "diff OUT"),
    ] {
        let wrong = shop(folder.path(), arguments).run();
        assert_eq!(wrong.code, Some(2), "{wrong:?}");
        tell(said, &wrong.log);
    }
    insta::assert_snapshot!("change", texts);

    let moves = folder.path().join("moves.csv");
    let arguments = ["diff", text(&earlier), text(&out), "--json", "--moves", text(&moves)];
    let report = shop(folder.path(), &arguments).report();
    let rows = fs::read_to_string(&moves).expect("the moves are written");
    assert_eq!(report["records"]["moved"], rows.lines().count() - 1);
    assert!(report["identities"]["split"].as_u64() > Some(0), "{report}");
    // The job goes on under the new model.
    shop(folder.path(), &["backfill", harder]).succeed();
}

#[test]
fn a_backfill_that_is_killed_carries_ids_over_all_the_same() {
    let stream = stream(250);
    let expected = Expected::of(&stream);
    let folder = folder();
    let events = folder.path().join("events");
    stream.write_to(&events).expect("write events");
    let job = |name: &str, pipeline: &Path| {
        onefold(&["backfill", text(pipeline), "--json"])
            .env("EVENTS_DIR", text(&events))
            .env("OUT", text(&folder.path().join(name).join("out")))
            .env("STATE", text(&folder.path().join(name).join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
    };
    let out = |name: &str| Tables::local(&folder.path().join(name).join("out"));
    let pace = "interval = \"30s\"\n[run]\nbatch = 40\n";
    let first = pipeline::changed("events.toml", folder.path(), &[(INTERVAL, pace)]);
    job("first", &first).report();

    let from = out("first").url;
    let carried = format!("carry_ids_from = \"{from}\"\n{}", pace.replace("40", "33"));
    fs::create_dir(folder.path().join("anew")).expect("a folder");
    let anew =
        pipeline::changed("events.toml", &folder.path().join("anew"), &[(INTERVAL, &carried)]);
    for commits in [1, 7] {
        let mut process = job("anew", &anew).start(folder.path());
        wait_until("it is in the middle of the work", || {
            process.log().matches("batch committed").count() >= commits
        });
        assert!(!process.has_ended(), "the stream was too short");
        process.kill();
    }
    job("anew", &anew).report();
    out("anew").assert_hold(&expected);
    assert!(out("anew").identity_map() == out("first").identity_map(), "the same ids");
    let mut rows = out("anew").rows(&IDENTITY_CHANGES, &["change", "cause"]);
    let records = rows.extract_if(.., |row| word(row, "change") == "assigned").count();
    assert_eq!(records, out("anew").identity_map().len(), "of each record once");
    assert!(rows.iter().all(|row| word(row, "change") == "carried"), "{:?}", rows.first());
    let difference = onefold(&["diff", &from, &out("anew").url, "--json"]).report();
    assert_eq!(difference["identities"]["unchanged"], rows.len());
}
