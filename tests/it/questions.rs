//! Whether the questions of the documentation can be asked as they stand there.

use crate::support::program::onefold;
use crate::support::python::Python;
use crate::support::{folder, repository, text};

#[test]
fn the_questions_of_the_documentation_are_answered() {
    let Some(python) = Python::find() else { return };
    let folder = folder();
    let out = folder.path().join("demo");
    onefold(&["demo", "--customers", "300", "--out", text(&out)]).succeed();
    let page = repository("docs/questions.md");
    let tables = out.join("tables");
    let answers = python.run("tests/readers/questions.py", &[text(&page), text(&tables)]);
    for column in ["bought", "last_there", "household", "complained", "duplicates"] {
        assert!(answers.contains(&format!(" {column} ")), "{column}: {answers}");
    }
}
