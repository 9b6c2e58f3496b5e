//! The built program, run as a person runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::Process;
use super::repository;

/// `onefold` with arguments and an environment of its own: nothing of the tests' environment reaches it.
#[derive(Clone)]
pub(crate) struct Program {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) log: String,
}

/// Runs in the repository's folder, unless told otherwise.
pub(crate) fn onefold(arguments: &[&str]) -> Program {
    Program {
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        environment: BTreeMap::new(),
        folder: repository("."),
    }
}

impl Program {
    /// With further arguments.
    pub(crate) fn arguments(mut self, more: &[&str]) -> Self {
        self.arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        self
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn envs(mut self, environment: &BTreeMap<String, String>) -> Self {
        self.environment.extend(environment.clone());
        self
    }

    pub(crate) fn within(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onefold"));
        command.env_clear().envs(&self.environment);
        command.args(&self.arguments).current_dir(&self.folder);
        command
    }

    /// Starts it; its output goes to files in `folder`.
    pub(crate) fn start(&self, folder: &Path) -> Process {
        Process::start(self.command(), folder, "onefold")
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Ran {
        let ran = self.command().output().expect("run onefold");
        Ran {
            code: ran.status.code(),
            output: String::from_utf8(ran.stdout).expect("onefold writes UTF-8"),
            log: String::from_utf8(ran.stderr).expect("onefold writes UTF-8"),
        }
    }

    /// Runs it to its end, which must be a good one.
    #[track_caller]
    pub(crate) fn succeed(&self) -> Ran {
        let ran = self.run();
        assert_eq!(ran.code, Some(0), "onefold {:?}: {}{}", self.arguments, ran.output, ran.log);
        ran
    }

    /// Runs it to its end, which must be a good one, and reads the JSON that it wrote.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        self.succeed().report()
    }
}

impl Ran {
    /// The JSON that it wrote. Nothing may have been logged that a person should worry about: that there are dead
    /// letters is no surprise here.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        let worrying = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        let expected = |line: &&str| line.contains("records rejected");
        let surprise = self.log.lines().filter(worrying).find(|line| !expected(line));
        assert_eq!(surprise, None, "{}", self.log);
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("no JSON: {}", self.output))
    }
}
