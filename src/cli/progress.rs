//! How far is it? A bar where somebody watches, a log line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{is_watched, number};
use crate::clock::Stopwatch;
use crate::pipeline::Progress;
use crate::telemetry::PipelineProgressed;

/// How often a log line is written.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows a job's progress on standard error.
pub(super) struct Display {
    bar: Option<ProgressBar>,
    expected: Option<u64>,
    started: Stopwatch,
    last_line: Stopwatch,
}

impl Display {
    /// Starts showing; `expected` is how many messages there are, where that is known.
    pub(super) fn start(expected: Option<u64>) -> Self {
        let bar = is_watched().then(|| {
            let (bar, template) = match expected {
                Some(count) => (ProgressBar::new(count), "{bar:30} {percent:>3}% {msg}"),
                None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
            };
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, expected, started: Stopwatch::start(), last_line: Stopwatch::start() }
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, progress: &Progress) {
        if let Some(bar) = &self.bar {
            if self.expected.is_some() {
                bar.set_position(progress.counters.read);
            }
            bar.set_message(self.words(progress));
        } else if self.last_line.elapsed() >= LINE_INTERVAL {
            let counters = progress.counters;
            PipelineProgressed {
                read: counters.read,
                resolved: counters.resolved,
                duplicate: counters.duplicate,
                dead_lettered: counters.dead_lettered,
                identities: progress.identities,
                waiting: progress.waiting,
            }
            .emit();
            self.last_line = Stopwatch::start();
        }
    }

    fn words(&self, progress: &Progress) -> String {
        let counters = progress.counters;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = progress.messages as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let mut words = format!(
            "{} events read, {} identities, {rate:.0} events/s",
            number(counters.read),
            number(progress.identities),
        );
        if counters.dead_lettered > 0 {
            words += &format!(", {} dead-lettered", number(counters.dead_lettered));
        }
        if progress.waiting > 0 {
            words += &format!(", {} records to match", number(progress.waiting));
        }
        if progress.publishing {
            words += ", publishing";
        }
        words
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
