//! The Python environment with the servers and readers, where there is one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::repository;

/// A virtual environment with the packages of `tests/requirements.txt`.
#[derive(Clone)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// Finds the environment: that of `ONEFOLD_TEST_VENV`, or `.venv-test`. Where there is none, a test is skipped,
    /// but not where all should run: under `make test` and where `CI` is set.
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var_os("ONEFOLD_TEST_VENV").map(PathBuf::from);
        let must = named.is_some() || std::env::var("CI").is_ok_and(|ci| ci == "true");
        let folder =
            named.map_or_else(|| repository(".venv-test"), |named| repository(".").join(named));
        if folder.join("bin/python").exists() {
            return Some(Self(folder));
        }
        let missing = format!("no Python environment in {}: run make test", folder.display());
        assert!(!must, "{missing}");
        eprintln!("SKIPPED: {missing}");
        None
    }

    /// A program of the environment.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// Runs a script of the repository and returns what it printed.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, arguments: &[&str]) -> String {
        self.run_within(&repository("."), &repository(script), arguments)
    }

    /// The same in another folder; nothing compiled is left anywhere.
    #[track_caller]
    pub(crate) fn run_within(&self, folder: &Path, script: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new(self.program("python"));
        command.arg(script).args(arguments).current_dir(folder);
        let ran = command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("run Python");
        let script = script.display();
        let error = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{script} {arguments:?}: {error}");
        String::from_utf8(ran.stdout).expect("scripts print UTF-8")
    }

    /// The folder of an installed package.
    pub(crate) fn package(&self, name: &str) -> PathBuf {
        let code = format!("import {name}, os; print(os.path.dirname({name}.__file__))");
        let mut command = Command::new(self.program("python"));
        let ran = command.args(["-c", &code]).output().expect("run Python");
        let folder = String::from_utf8(ran.stdout).expect("a path in UTF-8");
        let folder = Path::new(folder.trim());
        assert!(folder.is_dir(), "the Python package {name} is missing: run make test");
        folder.to_owned()
    }
}
