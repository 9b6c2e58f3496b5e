use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::*;
use crate::record::Origin;

/// What a source does next.
#[derive(Clone, Copy)]
enum Step {
    Message,
    Away,
    Broken,
    Panic,
}

/// A source that does as it is told, and then ends.
struct Script {
    steps: std::vec::IntoIter<Step>,
    next: u64,
    held: Arc<AtomicU32>,
}

impl Source for Script {
    fn next(&mut self, _limit: usize, _wait: Duration) -> Result<Option<Batch>> {
        let Some(step) = self.steps.next() else { return Ok(None) };
        match step {
            Step::Message => {
                let (source, partition) = ("script".into(), "0".into());
                let origin = Origin { source, partition, offset: self.next };
                self.next += 1;
                let message =
                    Message { origin, payload: Bytes::new(), fault: None, envelope: None };
                Ok(Some(Batch { messages: vec![message], idle: false }))
            }
            Step::Away => Err(Error::unavailable("poll")),
            Step::Broken => Err(Error::data("row is damaged")),
            Step::Panic => panic!("as told"),
        }
    }

    fn hold(&mut self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.next != 2
    }

    fn lag(&self) -> Vec<Lag> {
        let (partition, records) = ("0".into(), Some(self.steps.len() as u64));
        vec![Lag { partition, next: 0, records, newest_message_at: None, lost: 0 }]
    }

    fn unacknowledged(&mut self) -> u64 {
        1
    }
}

const SHORT: Patience =
    Patience { first: Duration::from_micros(1), longest: Duration::from_micros(1), waits: Some(3) };

fn script(steps: &[Step]) -> Opener {
    held_script(steps, &Arc::default())
}

/// A script that counts how often it was held.
fn held_script(steps: &[Step], held: &Arc<AtomicU32>) -> Opener {
    let (steps, held) = (steps.to_vec(), Arc::clone(held));
    let open = move |_: &Positions| {
        let (steps, held) = (steps.clone().into_iter(), Arc::clone(&held));
        let script = Script { steps, next: 0, held };
        Ok(Box::new(script) as Box<dyn Source>)
    };
    Opener { name: "script".into(), open: Box::new(open), patience: SHORT, reopens: false }
}

fn start(openers: Vec<Opener>) -> Result<(Intake, Arrivals)> {
    Intake::read(openers, &Positions::new(), 10, &Telemetry::default())
}

/// How many messages come before the end, or the error.
fn read((intake, arrivals): (Intake, Arrivals)) -> (usize, Option<Error>) {
    let mut count = 0;
    let error = loop {
        match arrivals.next(Duration::from_secs(60)) {
            Ok(Arrival::Messages(messages)) => count += messages.len(),
            Ok(Arrival::Nothing) => panic!("nothing within a minute"),
            Ok(Arrival::End) => break None,
            Err(error) => break Some(error),
        }
    };
    intake.stop();
    (count, error)
}

#[test]
fn all_sources_are_read_to_their_end() {
    let sources = vec![script(&[Step::Message; 7]), script(&[]), script(&[Step::Message; 2])];
    let (count, error) = read(start(sources).unwrap());
    assert_eq!((count, error.is_none()), (9, true));
}

#[test]
fn a_source_that_comes_back_goes_on() {
    let steps = [Step::Message, Step::Away, Step::Away, Step::Message, Step::Away, Step::Message];
    let (count, error) = read(start(vec![script(&steps)]).unwrap());
    assert_eq!((count, error.is_none()), (3, true));
}

#[test]
fn a_source_that_stays_away_is_given_up() {
    let (count, error) = read(start(vec![script(&[Step::Away; 9])]).unwrap());
    let error = error.unwrap();
    assert_eq!((count, error.kind()), (0, Kind::Unavailable));
    assert_eq!(error.to_string(), "read source `script`: gave up after 4 tries: poll");
}

#[test]
fn a_source_that_is_broken_ends_the_job() {
    let (count, error) = read(start(vec![script(&[Step::Message, Step::Broken])]).unwrap());
    assert_eq!((count, error.unwrap().kind()), (1, Kind::Data));
}

#[test]
fn a_panic_does_not_look_like_the_end() {
    let forever = script(&[Step::Message; 3]);
    let (_, error) = read(start(vec![script(&[Step::Panic]), forever]).unwrap());
    let error = error.unwrap();
    assert_eq!(error.kind(), Kind::Internal);
    assert_eq!(error.to_string(), "read source `script`: its thread panicked");
}

#[test]
fn opening_waits_for_what_is_away_and_for_nothing_else() {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let mut away = script(&[Step::Message]);
    away.open = Box::new(move |positions| match counted.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => Err(Error::unavailable("list the store")),
        _ => (script(&[Step::Message]).open)(positions),
    });
    let (count, error) = read(start(vec![away]).unwrap());
    assert_eq!((count, error.is_none()), (1, true));
    assert_eq!(tries.load(Ordering::Relaxed), 3);

    let mut wrong = script(&[]);
    wrong.open = Box::new(|_| Err(Error::invalid("no file matches")));
    let refused = start(vec![script(&[Step::Message; 100]), wrong]).err().unwrap();
    assert_eq!(refused.kind(), Kind::Invalid);
}

#[test]
fn what_is_of_no_more_use_is_opened_anew() {
    let opened = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&opened);
    let mut fatal = script(&[]);
    fatal.reopens = true;
    fatal.open = Box::new(move |positions| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => (script(&[Step::Message, Step::Away, Step::Broken]).open)(positions),
        _ => (script(&[Step::Message]).open)(positions),
    });
    let (count, error) = read(start(vec![fatal]).unwrap());
    assert_eq!((count, error.is_none()), (2, true));
}

#[test]
fn a_stop_does_not_wait_for_what_is_away() {
    let hour = Duration::from_secs(3_600);
    let mut away = script(&[Step::Message, Step::Away]);
    away.patience = Patience { first: hour, longest: hour, waits: None };
    let (intake, arrivals) = start(vec![away]).unwrap();
    assert!(matches!(arrivals.next(hour), Ok(Arrival::Messages(_))));
    // A test that hangs has failed.
    intake.stop();
}

#[test]
fn a_source_whose_messages_nobody_takes_is_held_and_reads_no_further() {
    let held = Arc::new(AtomicU32::new(0));
    let (intake, arrivals) = start(vec![held_script(&[Step::Message; 50], &held)]).unwrap();
    let waited = Stopwatch::start();
    while held.load(Ordering::Relaxed) < 2 {
        assert!(waited.elapsed() < Duration::from_secs(60), "it is held");
        std::thread::yield_now();
    }
    // Two batches are in the queue, and one is in the source's hand.
    let lag = intake.lag();
    assert_eq!(lag["script"][0].records, Some(50 - 3));
    let (count, error) = read((intake, arrivals));
    assert_eq!((count, error.is_none()), (50, true));
}

#[test]
fn a_source_that_loses_a_part_is_not_ready_until_it_has_it_again() {
    let (intake, arrivals) = start(vec![script(&[Step::Message; 2])]).unwrap();
    let two = || match arrivals.next(Duration::from_secs(60)).unwrap() {
        Arrival::Messages(messages) => messages.len(),
        _ => 0,
    };
    assert_eq!((two(), two()), (1, 1));
    // Behind its second message the script says that it is not ready; then it ends.
    assert!(matches!(arrivals.next(Duration::from_secs(60)), Ok(Arrival::End)));
    assert!(!intake.is_ready());
    intake.stop();
}
