//! Whether the pages that ask the demo's tables show what is answered now: their queries run as they stand there, and
//! answers and charts are compared byte for byte. `ONEFOLD_RENEW=1 cargo test --test it pages` writes them anew.

use std::fs;
use std::path::Path;

use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::{folder, repository, text};

const RENEW: &str = "ONEFOLD_RENEW";

#[test]
fn the_pages_show_what_the_tables_answer() {
    let Some(python) = Python::find() else { return };
    let folder = folder();
    let within = folder.path();
    onefold(&["demo"]).within(within).succeed();

    let questions = repository("tests/readers/questions.py");
    let page = repository("docs/questions.md");
    let answered = python.run_within(within, &questions, &[text(&page)]);
    assert_is_current("docs/questions.md", &answered);

    // Laid out as the repository is, since links are from file to file.
    let examples = within.join("examples");
    fs::create_dir(&examples).expect("make a folder");
    for name in names(&repository("examples")).iter().filter(|name| name.ends_with(".py")) {
        fs::copy(repository("examples").join(name), examples.join(name)).expect("copy a script");
    }
    let arguments = ["examples/customers.py", "onefold-demo/tables", "docs/examples.md"];
    python.run_within(within, &examples.join("render.py"), &arguments);
    let page = fs::read_to_string(within.join("docs/examples.md")).expect("a page");
    assert_is_current("docs/examples.md", &page);
    let charts = names(&within.join("docs/images"));
    for name in &charts {
        let name = format!("docs/images/{name}");
        let chart = fs::read_to_string(within.join(&name)).expect("a chart");
        assert_is_current(&name, &chart);
        assert!(page.contains(&format!("]({})", name.trim_start_matches("docs/"))), "{name}");
    }
    assert_eq!(names(&repository("docs/images")), charts, "charts that no notebook draws");

    // As `make page` makes it: one file.
    let arguments = ["examples/customers.py", "onefold-demo/tables", "page.html"];
    python.run_within(within, &examples.join("render.py"), &arguments);
    let page = fs::read_to_string(within.join("page.html")).expect("a page");
    assert_eq!(page.matches("<svg ").count(), charts.len());
    assert!(!page.contains("<img"), "nothing lies beside it");
}

#[track_caller]
fn assert_is_current(name: &str, made: &str) {
    let file = repository(name);
    if std::env::var_os(RENEW).is_some() {
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("make a folder");
        fs::write(&file, made).expect("write a page");
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(
        kept == made,
        "{name} is not what the tables say; first: {differs:?}; `{RENEW}=1 cargo test --test it pages` writes it anew"
    );
}

/// The files in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
    names.sort();
    names
}
