//! Processes that end with the test.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::wait_until;

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its standard output and error go to two files named after `name` in `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Self {
        let (output, log) =
            (folder.join(format!("{name}.out")), folder.join(format!("{name}.log")));
        let create = |path: &Path| File::create(path).expect("a file for the output");
        command.stdin(Stdio::null()).stdout(create(&output)).stderr(create(&log));
        let child = command.spawn().unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        Self { child, output, log }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("ask for a process").is_some()
    }

    /// What it wrote to standard output so far.
    pub(crate) fn output(&self) -> String {
        read(&self.output)
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_until("the process ends", || self.has_ended());
        self.child.wait().expect("it has ended")
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill a process");
        self.child.wait().expect("it has ended");
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().expect("run sh");
        assert!(sent.success(), "{kill}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A server that listens on a port of this machine.
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Process,
    folder: tempfile::TempDir,
    command: Box<dyn Fn(u16) -> Command + Send + Sync>,
    answers: Box<dyn Fn(u16) -> bool + Send + Sync>,
}

impl Server {
    /// Starts a server on a free port and waits until it `answers`. Another process may take the port first: then
    /// the server ends at once, and another port is tried.
    pub(crate) fn start(
        command: impl Fn(u16) -> Command + Send + Sync + 'static,
        answers: impl Fn(u16) -> bool + Send + Sync + 'static,
    ) -> Self {
        let folder = super::folder();
        for _ in 0..5 {
            let port = free_port();
            if let Some(process) = run(command(port), folder.path(), || answers(port)) {
                let (command, answers) = (Box::new(command), Box::new(answers));
                return Self { port, process, folder, command, answers };
            }
        }
        panic!("the server does not start");
    }

    /// Ends it with SIGKILL: its port refuses connections from then on.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it where it still runs, starts it again on the same port and waits until it answers.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        let mut started = None;
        // Nobody else is given a port that was in use a moment ago, but its last connections may still be closing.
        wait_until("the server starts again", || {
            let command = (self.command)(self.port);
            started = run(command, self.folder.path(), || (self.answers)(self.port));
            started.is_some()
        });
        self.process = started.expect("it was waited for");
    }
}

/// Starts a server and waits until it answers; `None` where it ends instead.
fn run(command: Command, folder: &Path, answers: impl Fn() -> bool) -> Option<Process> {
    let mut process = Process::start(command, folder, "server");
    wait_until("the server answers", || process.has_ended() || answers());
    if process.has_ended() {
        eprintln!("a server did not start: {}{}", process.output(), process.log());
        return None;
    }
    Some(process)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
