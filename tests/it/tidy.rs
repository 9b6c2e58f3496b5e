//! Is the house in order?
//!
//! Reads the sources as text: imports, sizes, banned words, paths of a machine. Where a rule needs
//! more than a line to be seen, rustc or clippy holds it (`[lints]` in `Cargo.toml`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → the modules of this crate that it may name, besides itself.
const ALLOWED: &[(&str, &str)] = &[
    ("record", ""),
    ("clock", ""),
    ("error", ""),
    ("image", "error"),
    ("failpoint", ""),
    ("contract", ""),
    ("kafka", "error"),
    ("normalise", "record"),
    ("block", "normalise record"),
    ("score", "block error image normalise record"),
    ("cluster", "record score"),
    ("resolve", "block cluster error image normalise record score"),
    ("train", "block cluster error normalise record resolve score"),
    ("splink", "block error record score"),
    ("explain", "block cluster record resolve score"),
    ("profile", "normalise record"),
    ("evaluate", "error"),
    ("report", "evaluate score"),
    ("telemetry", "clock error record"),
    ("source", "clock error kafka normalise record telemetry"),
    ("sink", "error explain failpoint kafka profile record telemetry"),
    ("state", "error failpoint image profile record telemetry"),
    ("demo", "error"),
    ("config", "block error normalise profile record score source"),
    (
        "pipeline",
        "block clock cluster config error evaluate explain failpoint image normalise profile record resolve \
         score sink source state telemetry train",
    ),
    ("web", "config error telemetry"),
    (
        "cli",
        "clock cluster config demo error evaluate explain normalise pipeline record report score source splink state \
         telemetry train web",
    ),
];

/// The stages that are pure: batches in, batches out.
const CORE: [&str; 13] = [
    "train",
    "normalise",
    "block",
    "score",
    "cluster",
    "resolve",
    "explain",
    "profile",
    "evaluate/assess.rs",
    "evaluate/mistake.rs",
    "evaluate/size.rs",
    "evaluate/table.rs",
    "report",
];

/// What a pure stage has no business with.
const NOT_IN_THE_CORE: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::time",
    "std::io",
    "tokio::",
    "tracing::",
    "object_store::",
    "rand::",
];

/// What no production code may hold, and what to write instead.
const BANNED: [(&str, &str); 6] = [
    (".unwrap()", "`expect` with the reason that proves it, or return the error"),
    ("panic!(", "return an error; `assert!` for our own mistakes"),
    ("todo!(", "write it, or leave it out"),
    ("unimplemented!(", "write it, or leave it out"),
    ("dbg!(", "an event of `telemetry`"),
    ("HashMap::new()", "a map with a fixed order"),
];

/// Production lines of a file at most; comments are not counted, so that nobody saves on them.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function at most, its signature included.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of a line of code at most.
const COLUMNS_MAX: usize = 100;
/// Columns of a comment at most: the formatter leaves them as they are.
const COMMENT_COLUMNS_MAX: usize = 130;

/// A file of `src`, as lines.
struct Source {
    /// Its path within `src`.
    name: String,
    text: String,
    /// Whether it is compiled for tests only.
    is_test: bool,
}

impl Source {
    /// Its lines before the tests beside the code, each with its number.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.lines().zip(self.lines().skip(1)).position(|((_, line), (_, next))| {
            line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{')
        });
        self.lines().take(end.unwrap_or(usize::MAX))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().zip(1..).map(|(line, number)| (number, line))
    }

    /// The production lines without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.production().filter(|(_, line)| !is_comment(line))
    }

    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().expect("a split has a first part")
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("a folder of the repository")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut sources = Vec::new();
    for path in files_below(&src) {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(&src).expect("it is below").display().to_string();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            sources.push(Source { name, text, is_test: false });
        }
    }
    let tests = test_modules(&sources);
    for source in &mut sources {
        source.is_test = tests.iter().any(|module| {
            source.name == format!("{module}.rs") || source.name.starts_with(&format!("{module}/"))
        });
    }
    assert!(sources.len() > 100, "the sources were not found");
    sources
}

/// The paths of modules that are declared for tests only, without their ending.
fn test_modules(sources: &[Source]) -> Vec<String> {
    let mut modules = Vec::new();
    for source in sources {
        let folder =
            source.name.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
        for ((_, line), (_, next)) in source.lines().zip(source.lines().skip(1)) {
            let declared = next.split("mod ").nth(1).and_then(|rest| rest.strip_suffix(';'));
            if let Some(module) = declared.filter(|_| line == "#[cfg(test)]") {
                modules.push(format!("{folder}/{module}"));
            }
        }
    }
    modules
}

fn production_sources() -> impl Iterator<Item = Source> {
    sources().into_iter().filter(|source| !source.is_test)
}

/// Fails with every complaint there is, not only the first.
#[track_caller]
fn assert_none(complaints: &[String]) {
    let mut text = String::new();
    for complaint in complaints {
        writeln!(text, "  {complaint}").expect("texts take all");
    }
    assert!(complaints.is_empty(), "\n{text}");
}

/// The modules of this crate that a line names: `crate::a`, or each of `use crate::{a, b::c}`.
fn named(line: &str) -> Vec<&str> {
    let word = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_');
    line.match_indices("crate::")
        .map(|(at, path)| &line[at + path.len()..])
        .map(|rest| &rest[..word(rest).unwrap_or(rest.len())])
        .collect()
}

#[test]
fn imports_run_down() {
    let allowed: BTreeMap<&str, Vec<&str>> =
        ALLOWED.iter().map(|(module, names)| (*module, names.split(' ').collect())).collect();
    let mut complaints = Vec::new();
    for source in production_sources() {
        let module = source.module();
        if matches!(module, "lib" | "main") {
            continue;
        }
        let Some(allowed) = allowed.get(module) else {
            complaints.push(format!("{module}: not in the table: say what it may name"));
            continue;
        };
        for (number, line) in source.code() {
            for name in named(line) {
                if name != module && !allowed.contains(&name) {
                    complaints.push(format!("{}:{number}: {module} names {name}", source.name));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn the_table_has_no_circle() {
    // Each module names only those that stand before it.
    for (at, (module, names)) in ALLOWED.iter().enumerate() {
        for name in names.split(' ').filter(|name| !name.is_empty()) {
            let before = ALLOWED[..at].iter().any(|(earlier, _)| *earlier == name);
            assert!(before, "{module} names {name}, which stands behind it");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let mut complaints = Vec::new();
    for source in production_sources() {
        let in_core = CORE
            .iter()
            .any(|place| source.name == *place || source.name.starts_with(&format!("{place}/")));
        for (number, line) in source.code().filter(|_| in_core) {
            for word in NOT_IN_THE_CORE {
                if line.contains(word) {
                    complaints.push(format!("{}:{number}: {word} in a pure stage", source.name));
                }
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn files_and_functions_are_short() {
    let mut complaints = Vec::new();
    for source in production_sources() {
        let lines: Vec<(usize, &str)> = source.production().collect();
        let code = source.code().count();
        if code > FILE_LINES_MAX {
            complaints.push(format!("{}: {code} lines", source.name));
        }
        for (at, (number, line)) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let is_function = !is_comment(line)
                && line.split(['(', '"']).next().is_some_and(|head| {
                    head.trim_start().starts_with("fn ") || head.contains(" fn ")
                });
            if !is_function || line.ends_with([';', '}']) {
                continue;
            }
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[at..].iter().position(|(_, line)| *line == end).unwrap_or(0) + 1;
            if length > FUNCTION_LINES_MAX {
                complaints.push(format!("{}:{number}: {length} lines", source.name));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn lines_are_narrow() {
    let mut complaints = Vec::new();
    for source in production_sources() {
        for (number, line) in source.production() {
            // The formatter leaves a text whole.
            let is_text = line.contains('"') || line.ends_with('\\');
            let limit = match is_comment(line) {
                true => COMMENT_COLUMNS_MAX,
                false if is_text => continue,
                false => COLUMNS_MAX,
            };
            let columns = line.chars().count();
            if columns > limit {
                complaints.push(format!("{}:{number}: {columns} columns", source.name));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn banned_words_are_absent() {
    let mut complaints = Vec::new();
    for source in production_sources() {
        for (number, line) in source.code() {
            for (word, instead) in BANNED {
                if line.contains(word) {
                    complaints.push(format!("{}:{number}: {word}: {instead}", source.name));
                }
            }
        }
    }
    for source in sources() {
        for (number, line) in source.lines() {
            if !is_comment(line) && (line.contains("#[allow(") || line.contains("#![allow(")) {
                let instead = "`#[expect(…, reason = …)]`";
                complaints.push(format!("{}:{number}: allow: {instead}", source.name));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn every_file_begins_with_its_page() {
    let mut complaints = Vec::new();
    for source in production_sources() {
        if !source.text.starts_with("//! ") {
            complaints.push(format!("{}: no `//!` page: which question?", source.name));
        }
        let mut rest = source.lines().skip_while(|(_, line)| line.starts_with("//!"));
        if let Some((number, _)) = rest.find(|(_, line)| line.starts_with("//!")) {
            complaints.push(format!("{}:{number}: a second page", source.name));
        }
    }
    assert_none(&complaints);
}

#[test]
fn roots_are_thin() {
    for (name, limit) in [("main.rs", 40), ("lib.rs", 150)] {
        let source = sources().into_iter().find(|source| source.name == name).unwrap();
        let lines = source.lines().count();
        assert!(lines <= limit, "{name}: {lines} lines");
    }
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut complaints = Vec::new();
    let mut in_dependencies = false;
    let mut before = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        } else if in_dependencies && line.contains('=') && !before.starts_with('#') {
            complaints.push(format!("{line}: no comment above it"));
        }
        before = line;
    }
    assert_none(&complaints);
}

/// A model that was learnt was refused by the next run of a program that was built alone: a crate that only tests use had
/// numbers read to the last bit, for all that is built beside it.
#[test]
fn numbers_are_read_to_the_last_bit_whatever_is_built_beside() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let json = manifest.lines().find(|line| line.starts_with("serde_json = ")).unwrap();
    assert!(json.contains("\"float_roundtrip\""), "{json}");
}

#[test]
fn the_map_names_tests_that_are_there() {
    let sources = sources();
    let map = sources.iter().find(|source| source.name == "lib.rs").unwrap();
    let mut complaints = Vec::new();
    for name in map.text.split('`').filter(|word| word.contains("::") && !word.contains(' ')) {
        let (module, test) = name.rsplit_once("::").unwrap();
        let path = module.replace("::", "/");
        let file = |source: &&Source| source.name == format!("{path}.rs");
        let inline = |source: &&Source| {
            path.strip_suffix("/tests").is_some_and(|of| source.name == format!("{of}.rs"))
        };
        let found = sources.iter().find(file).or_else(|| sources.iter().find(inline));
        // Else it is an integration test.
        let text = found.map_or_else(
            || fs::read_to_string(root().join(format!("tests/it/{path}.rs"))).unwrap_or_default(),
            |source| source.text.clone(),
        );
        // A link to an item is checked by rustdoc.
        let is_item = test.starts_with(char::is_uppercase);
        if !is_item && !text.contains(&format!("fn {test}(")) {
            complaints.push(format!("lib.rs: no test {name}"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn no_path_of_a_machine_is_named() {
    // In pieces, so that this file does not name them.
    let banned = [["/wo", "rk/"], ["/ro", "ot/"], ["../sha", "red"]].map(|pair| pair.concat());
    let mut files = Vec::new();
    for folder in [
        "src",
        "tests",
        "benches",
        "docs",
        "examples",
        "packaging",
        "pipelines",
        "schemas",
        ".ci",
        ".config",
    ] {
        let folder = root().join(folder);
        if folder.is_dir() {
            files.extend(files_below(&folder));
        }
    }
    for name in ["Cargo.toml", "README.md", "Makefile", ".clippy.toml", ".rustfmt.toml"] {
        files.push(root().join(name));
    }
    let mut complaints = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (line, number) in text.lines().zip(1..) {
            if banned.iter().any(|path| line.contains(path.as_str())) {
                let name = file.strip_prefix(root()).unwrap().display();
                complaints.push(format!("{name}:{number}"));
            }
        }
    }
    assert_none(&complaints);
}
