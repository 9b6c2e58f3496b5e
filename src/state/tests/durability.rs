//! Crashes lose nothing that was acknowledged; damage is found, and nothing is overwritten.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lsm_tree::AbstractTree;

use super::*;
use crate::error::Kind;
use crate::state::keyspace::Space;

/// A state with `commits` commits, closed, its journal cut to what was written.
fn closed(commits: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    let mut store = open(folder.path());
    for sequence in 1..=commits {
        store.commit(&nth_commit(sequence)).expect("commit");
    }
    drop(store);
    trim(&journal(folder.path()));
    folder
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("rows/0.jnl")
}

/// Cuts the zeros that are reserved at the end of a journal.
fn trim(journal: &Path) {
    let mut bytes = fs::read(journal).expect("journal");
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
    fs::write(journal, bytes).expect("journal");
}

#[track_caller]
fn refused(path: &Path, kind: Kind, message: &str) {
    match Store::open(path, &Options::default()) {
        Ok(store) => panic!("opens at commit {}", store.sequence()),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}

#[test]
fn a_torn_batch_that_nobody_was_told_of_is_dropped() {
    let whole = closed(2);
    let witness = fs::read(whole.path().join("witness")).expect("witness");
    let length_before = fs::metadata(journal(whole.path())).expect("journal").len();
    let mut store = open(whole.path());
    store.commit(&nth_commit(3)).expect("commit");
    drop(store);
    trim(&journal(whole.path()));
    let length = fs::metadata(journal(whole.path())).expect("journal").len();
    for cut in [1, 2, 13, (length - length_before) / 2] {
        let folder = tempfile::tempdir().expect("folder");
        copy(whole.path(), folder.path());
        fs::write(folder.path().join("witness"), &witness).expect("witness");
        let file = fs::OpenOptions::new().write(true).open(journal(folder.path()));
        file.expect("journal").set_len(length - cut).expect("cut");
        let mut store = open(folder.path());
        assert_eq!(check_run(&store), 2);
        store.commit(&nth_commit(3)).expect("commit");
        drop(store);
        assert_eq!(check_run(&open(folder.path())), 3);
    }
}

#[test]
fn an_acknowledged_batch_that_is_gone_is_missed() {
    let folder = closed(3);
    let path = journal(folder.path());
    let whole = fs::read(&path).expect("journal");
    fs::write(&path, &whole[..whole.len() - 1]).expect("cut");
    refused(folder.path(), Kind::Data, "damaged at byte");
    refused(folder.path(), Kind::Data, "damaged at byte");
    assert_eq!(fs::read(&path).expect("journal"), whole[..whole.len() - 1], "nothing was cut");
    fs::write(&path, &whole).expect("repair");
    assert_eq!(check_run(&open(folder.path())), 3);
}

#[test]
fn a_lost_journal_is_missed() {
    let folder = closed(3);
    fs::remove_file(journal(folder.path())).expect("remove");
    refused(folder.path(), Kind::Data, "was acknowledged");
    refused(folder.path(), Kind::Data, "was acknowledged");
}

#[test]
fn no_flipped_byte_loses_a_commit_in_silence() {
    let whole = closed(4);
    let bytes = fs::read(journal(whole.path())).expect("journal");
    // A step that is coprime to every length in a batch comes by each part of it.
    for at in (0..bytes.len()).step_by(bytes.len() / 61) {
        let folder = tempfile::tempdir().expect("folder");
        copy(whole.path(), folder.path());
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x5a;
        fs::write(journal(folder.path()), &flipped).expect("journal");
        match Store::open(folder.path(), &Options::default()) {
            Ok(store) => assert_eq!(check_run(&store), 4, "byte {at}"),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Data, "byte {at}: {error}");
                let aside = fs::read(folder.path().join("damaged-0.jnl"));
                let kept = aside.or_else(|_| fs::read(journal(folder.path())));
                assert!(kept.expect("journal") == flipped, "byte {at}: the journal was cut");
                refused(folder.path(), Kind::Data, "state: ");
            }
        }
    }
}

#[test]
fn a_closed_journal_must_be_whole() {
    let folder = closed(3);
    let path = journal(folder.path());
    let whole = fs::read(&path).expect("journal");
    // The store closes a journal by beginning the next one.
    fs::write(folder.path().join("rows/1.jnl"), []).expect("next");
    fs::write(&path, &whole[..whole.len() - 1]).expect("cut");
    fs::remove_file(folder.path().join("witness")).expect("remove");
    refused(folder.path(), Kind::Data, "damaged at byte");
    fs::write(&path, &whole).expect("repair");
    refused(folder.path(), Kind::Data, "witness file is missing");
}

#[test]
fn a_journal_that_begins_with_a_torn_batch_is_cut() {
    let folder = closed(3);
    // All earlier journals were let go as their rows lay elsewhere; of this one's first batch half
    // was written.
    fs::remove_file(folder.path().join("witness")).expect("remove");
    let whole = fs::read(journal(folder.path())).expect("journal");
    fs::write(journal(folder.path()), &whole[..30]).expect("cut");
    assert_eq!(check_run(&open(folder.path())), 0);
    assert!(!folder.path().join("damaged-0.jnl").exists());
}

#[test]
fn a_batch_that_is_missing_between_others_is_missed() {
    let folder = closed(2);
    let (first, path) = (fs::read(journal(folder.path())).expect("journal"), folder.path());
    let mut store = open(path);
    store.commit(&nth_commit(3)).expect("commit");
    store.commit(&nth_commit(4)).expect("commit");
    drop(store);
    let all = fs::read(journal(path)).expect("journal");
    let rest = &all[first.len()..];
    // The first batch of `rest` is the one that took the epoch: it ends with the trailer.
    let end = rest.windows(4).position(|bytes| bytes == b"FJL\x03").expect("trailer") + 4;
    fs::write(journal(path), [&first, &rest[end..]].concat()).expect("journal");
    refused(path, Kind::Data, "skips to batch");
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().expect("folder");
    let store = open(folder.path());
    refused(folder.path(), Kind::Fenced, "is open in another process");
    drop(store);
    assert_eq!(open(folder.path()).epoch(), 2);
}

#[test]
fn another_format_is_refused() {
    let folder = closed(1);
    fs::write(folder.path().join("format"), "onefold state 4\n").expect("format");
    refused(folder.path(), Kind::Data, "is of format \"onefold state 4\"");
    fs::write(folder.path().join("format"), "onefold state 3\n").expect("format");
    assert_eq!(check_run(&open(folder.path())), 1);
}

#[test]
fn a_folder_of_other_files_is_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("holiday.jpg"), b"").expect("file");
    refused(folder.path(), Kind::Invalid, "holds other files");
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("lock"), b"").expect("lock");
    fs::write(folder.path().join("format.new"), b"one").expect("format");
    assert_eq!(open(folder.path()).epoch(), 1);

    let folder = tempfile::tempdir().expect("folder");
    fs::write(folder.path().join("format"), "onefold state 1\n").expect("format");
    fs::create_dir(folder.path().join("rows")).expect("rows");
    fs::write(folder.path().join("rows/0.jnl"), b"").expect("journal");
    assert_eq!(open(folder.path()).epoch(), 1);
}

#[test]
fn a_missing_part_is_missed() {
    let folder = closed(1);
    for (part, message) in
        [("format", "holds other files"), ("witness", "witness file"), ("rows", "rows are missing")]
    {
        let copied = tempfile::tempdir().expect("folder");
        copy(folder.path(), copied.path());
        let path = copied.path().join(part);
        match path.is_dir() {
            true => fs::remove_dir_all(path).expect("remove"),
            false => fs::remove_file(path).expect("remove"),
        }
        let kind = if part == "format" { Kind::Invalid } else { Kind::Data };
        refused(copied.path(), kind, message);
    }
}

const CHILD_ROLE: &str = "ONEFOLD_TEST_STATE_ROLE";
const CHILD_FOLDER: &str = "ONEFOLD_TEST_STATE_FOLDER";

/// Runs [`child`] in a process of its own, through a shell that first does `before`.
fn spawn(role: &str, folder: &Path, before: &str) -> std::process::Child {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" --exact state::tests::durability::child --nocapture"))
        .arg(std::env::current_exe().expect("this test"))
        .env(CHILD_ROLE, role)
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// What the child processes of the tests below do; nothing in a run of its own.
#[test]
fn child() {
    let (Ok(role), Some(folder)) = (std::env::var(CHILD_ROLE), std::env::var_os(CHILD_FOLDER))
    else {
        return;
    };
    let mut store = open(Path::new(&folder));
    let say = |text: String| {
        writeln!(std::io::stdout(), "{text}").expect("the parent listens");
    };
    if role == "commit" {
        for sequence in store.sequence() + 1.. {
            let mut commit = nth_commit(sequence);
            // Enough that memtables are flushed and journals closed while it runs.
            commit.dead_letters.push(dead_letter(sequence, 2 << 20));
            store.commit(&commit).expect("commit");
            if sequence % 5 == 0 {
                store.clear_outbox(sequence - 2).expect("clear");
            }
            say(format!("committed {sequence}"));
        }
    }
    store.commit(&nth_commit(1)).expect("commit");
    let mut too_large = nth_commit(2);
    too_large.dead_letters = (0..80).map(|n| dead_letter(n, 1 << 20)).collect();
    let first = store.commit(&too_large).expect_err("the disk is full");
    let second = store.commit(&nth_commit(2)).expect_err("poisoned");
    say(format!("failed {:?} {:?}", first.kind(), second.to_string()));
}

#[test]
fn write_buffers_stay_within_their_share_of_memory() {
    const SHARE: u64 = 1 << 20;
    let folder = tempfile::tempdir().expect("folder");
    let options = Options { write_buffer_bytes: SHARE, ..Options::default() };
    let mut store = Store::open(folder.path(), &options).expect("the state opens");
    let mut unwritten = 0;
    for sequence in 1..=60 {
        let mut commit = nth_commit(sequence);
        commit.dead_letters.push(dead_letter(sequence, 100 << 10));
        store.commit(&commit).expect("commit");
        let size = |space: Space| store.rows(space).tree.active_memtable().size();
        let bytes: u64 = Space::ALL.into_iter().map(size).sum();
        assert!(bytes <= SHARE, "{bytes} after {sequence}");
        unwritten += u64::from(bytes > SHARE / 2);
    }
    assert!(unwritten > 10, "what is small is not written out");
    drop(store);
    assert_eq!(check_run(&open(folder.path())), 60);
}

#[test]
fn kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("folder");
    let mut acknowledged = 0;
    for round in 0..4 {
        let mut child = spawn("commit", folder.path(), "");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut remaining = 3 + 12 * round;
        for line in lines.by_ref() {
            let line = line.expect("a line");
            // The harness writes lines of its own.
            if let Some((_, number)) = line.split_once("committed ") {
                acknowledged = number.parse().expect("a number");
                remaining -= 1;
            }
            if remaining == 0 {
                break;
            }
        }
        child.kill().expect("kill");
        child.wait().expect("wait");
        let committed =
            |line: std::io::Result<String>| line.ok()?.split_once("committed ")?.1.parse().ok();
        acknowledged = lines.filter_map(committed).max().unwrap_or(acknowledged);
        let store = open(folder.path());
        let last = check_run(&store);
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is there");
        assert!(last <= acknowledged + 1, "nothing is there twice");
    }
    let later = (1..9).map(|n| folder.path().join(format!("rows/{n}.jnl")));
    assert!(later.into_iter().any(|path| path.exists()), "the first journal was closed");
}

#[test]
#[cfg(unix)]
fn after_a_failed_write_nothing_more_is_written() {
    let folder = tempfile::tempdir().expect("folder");
    // A file may grow to what a journal reserves, 64 MiB in blocks of 512 bytes, and no further.
    let child = spawn("fill", folder.path(), "trap '' XFSZ; ulimit -f 131072;");
    let output = child.wait_with_output().expect("the child ends");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.contains("failed Data"), "{output}");
    assert!(output.contains("an earlier write failed"), "{output}");
    assert_eq!(check_run(&open(folder.path())), 1);
}
