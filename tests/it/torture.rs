//! Job, broker and object store are killed at random while requests fail at random. In the end the tables are those of a
//! run that was left alone.
//!
//! `ONEFOLD_ROUNDS` says how many rounds there are, `ONEFOLD_SEED` which.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::time::Duration;

use onefold::clock::Stopwatch;
use serde_json::Value;

use crate::support::broker::Broker;
use crate::support::events::{Expected, stream};
use crate::support::process::Process;
use crate::support::program::{Program, onefold};
use crate::support::proxy::Proxy;
use crate::support::python::Python;
use crate::support::random::Random;
use crate::support::s3::S3;
use crate::support::tables::Tables;
use crate::support::{folder, pipeline, text};

const ROUNDS: u64 = 6;

/// Many commits, and a publish as often as may be.
const PACE: &str = "interval = \"50ms\"\n[run]\nbatch = 20\ncommit_interval = \"20ms\"\n";

/// How many requests in a thousand fail, one of these in each round.
const SHARES: [u64; 4] = [0, 0, 30, 150];

/// A round waits at most so long for the job to do something.
const ROUND_MAX: Duration = Duration::from_secs(8);

/// What is done to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    KillJob,
    StopJob,
    KillBroker,
    KillStore,
    KillAll,
    /// A second job is started on the same state.
    SecondJob,
    None,
}

const BLOWS: [Blow; 12] = [
    Blow::KillJob,
    Blow::KillJob,
    Blow::KillJob,
    Blow::KillJob,
    Blow::KillJob,
    Blow::StopJob,
    Blow::KillBroker,
    Blow::KillStore,
    Blow::KillStore,
    Blow::KillAll,
    Blow::SecondJob,
    Blow::None,
];

/// The world of one seed.
struct Torture {
    random: Random,
    s3: S3,
    broker: Broker,
    way: Proxy,
    program: Program,
    folder: tempfile::TempDir,
    job: Option<Process>,
    blows: BTreeMap<Blow, u64>,
}

impl Torture {
    fn new(python: &Python, seed: u64) -> Self {
        let s3 = S3::durable(python);
        let broker = Broker::on_s3(python, &s3);
        let way = Proxy::start(s3.port());
        let folder = folder();
        let pipeline = pipeline::kafka(folder.path(), PACE);
        let program = onefold(&["run", text(&pipeline), "--json"])
            .env("KAFKA_BROKERS", &broker.address())
            .env("OUT", &s3.url("hard"))
            .env("STATE", text(&folder.path().join("state")))
            .env("ONEFOLD_LOG", "onefold=debug")
            .envs(&s3.environment())
            .env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", way.port));
        let (random, job, blows) = (Random::new(seed), None, BTreeMap::new());
        Self { random, s3, broker, way, program, folder, job, blows }
    }

    fn round(&mut self, round: u64) {
        let share = self.pick(&SHARES);
        let seed = self.random.next();
        self.way.disturb(share, seed);
        if self.job.as_mut().is_none_or(Process::has_ended) {
            self.check_end();
            self.job = Some(self.program.start(self.folder.path()));
        }
        self.let_it_work();
        let blow = self.pick(&BLOWS);
        *self.blows.entry(blow).or_default() += 1;
        eprintln!("round {round}: {blow:?}, {share} ‰ of requests fail");
        self.strike(blow);
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let at = self.random.below(of.len() as u64);
        of[usize::try_from(at).expect("a small number")]
    }

    /// Waits for a moment that chance names: a time, or so many further commits or publishes.
    fn let_it_work(&mut self) {
        let (wait, count) = (self.random.below(2_500), 1 + self.random.below(4));
        let count = usize::try_from(count).expect("a small number");
        let what = self.pick(&["", "batch committed", "batch committed", "tables published"]);
        let job = self.job.as_mut().expect("it was started");
        let done =
            |job: &Process| if what.is_empty() { 0 } else { job.log().matches(what).count() };
        let (before, waited) = (done(job), Stopwatch::start());
        let limit = if what.is_empty() { Duration::from_millis(wait) } else { ROUND_MAX };
        while waited.elapsed() < limit && !job.has_ended() {
            if !what.is_empty() && done(job) >= before + count {
                break;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn strike(&mut self, blow: Blow) {
        let pause = Duration::from_millis(self.random.below(700));
        match blow {
            Blow::None => {}
            Blow::KillJob => self.kill_job(),
            Blow::StopJob => {
                let mut job = self.job.take().expect("it was started");
                job.terminate();
                job.wait();
                self.job = Some(job);
                self.check_end();
            }
            Blow::SecondJob => {
                let second = self.folder.path().join("second");
                std::fs::create_dir_all(&second).expect("a folder");
                let mut second = self.program.start(&second);
                if !self.job.as_mut().is_none_or(Process::has_ended) {
                    assert_eq!(second.wait().code(), Some(1));
                    assert!(second.log().contains("open in another process"), "{}", second.log());
                }
            }
            Blow::KillBroker => {
                self.broker.kill();
                std::thread::sleep(pause);
                self.broker.restart();
            }
            Blow::KillStore => self.kill_store(pause),
            Blow::KillAll => {
                self.kill_job();
                self.broker.kill();
                self.kill_store(pause);
            }
        }
        // A broker whose own store was away may have given up.
        if TcpStream::connect(self.broker.address()).is_err() {
            self.broker.restart();
        }
    }

    fn kill_job(&mut self) {
        self.job.take().expect("it was started").kill();
    }

    fn kill_store(&mut self, pause: Duration) {
        self.s3.kill();
        std::thread::sleep(pause);
        self.s3.restart();
    }

    /// A job that ended by itself must have had a reason: what it needs was away too long.
    fn check_end(&mut self) {
        let Some(mut job) = self.job.take() else { return };
        let (code, log) = (job.wait().code(), job.log());
        assert!(matches!(code, Some(0 | 1)), "{code:?}: {log}");
        for wrong in ["panicked", "state:", "another writer", "taken by"] {
            assert!(!log.contains(wrong), "it ended with {wrong:?}: {log}");
        }
    }
}

/// Runs a job until it has read all messages; a busy machine may make it wait for some of them longer than it does.
#[track_caller]
fn to_the_end(program: &Program, messages: usize) -> Value {
    let program = program.clone().arguments(&["--until-idle", "5s"]);
    let read = |report: &Value| report["read"].as_u64().expect("a count");
    let mut report = program.report();
    for _ in 0..10 {
        if read(&report) >= messages as u64 {
            break;
        }
        report = program.report();
    }
    assert_eq!(read(&report), messages as u64, "every message is read once");
    report
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(or)
}

#[test]
fn what_is_killed_at_random_counts_every_event_once() {
    let Some(python) = Python::find() else { return };
    let (rounds, seed) = (number("ONEFOLD_ROUNDS", ROUNDS), number("ONEFOLD_SEED", 1));
    let mut torture = Torture::new(&python, seed);
    let stream = stream(150 + u32::try_from(4 * rounds).expect("not that many rounds"));
    let expected = Expected::of(&stream);
    let portion = stream.lines.len().div_ceil(usize::try_from(rounds).expect("not that many"));
    for (round, lines) in (1..).zip(stream.lines.chunks(portion)) {
        torture.broker.produce(lines);
        torture.round(round);
    }
    if let Some(mut job) = torture.job.take() {
        job.kill();
    }
    torture.way.disturb(0, 0);
    let messages = stream.lines.len();
    let report = to_the_end(&torture.program, messages);

    let options = torture.s3.environment();
    let place = |name: &str| Tables { url: torture.s3.url(name), options: options.clone() };
    let undisturbed = torture
        .program
        .clone()
        .env("OUT", &torture.s3.url("calm"))
        .env("STATE", text(&torture.folder.path().join("calm")));
    let undisturbed = to_the_end(&undisturbed, messages);
    let (calm, hard) = (place("calm"), place("hard"));
    for count in ["read", "resolved", "duplicate", "dead_lettered", "records", "identities"] {
        assert_eq!(report[count], undisturbed[count], "seed {seed}: {count}");
    }
    let partition = calm.assert_hold(&expected);
    assert!(hard.assert_hold(&expected) == partition, "seed {seed}: the same customers");
    assert!(hard.customers() == calm.customers(), "seed {seed}: the same profiles");
    let found = hard.read_by_others(&python);
    assert_eq!(found["duckdb"], found["polars"], "seed {seed}");
    eprintln!(
        "seed {seed}: {rounds} rounds, {messages} messages, {} requests failed, blows {:?}",
        torture.way.faults(),
        torture.blows,
    );
}
