//! How long does the end of a consumer wait for its broker?
//!
//! A consumer that is dropped waits until the broker has its last offsets. Where the broker is away,
//! librdkafka may wait for it without end; a stop must not, and nothing rests on these offsets.

use std::ops::Deref;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::base_consumer::BaseConsumer;

use super::context::Context;

/// How long the broker may take for the last offsets.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A consumer that is let go of within a bounded time.
pub(super) struct Closing(Option<BaseConsumer<Context>>);

impl From<BaseConsumer<Context>> for Closing {
    fn from(consumer: BaseConsumer<Context>) -> Self {
        Self(Some(consumer))
    }
}

impl Deref for Closing {
    type Target = BaseConsumer<Context>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is taken out only when it is dropped")
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let consumer = self.0.take();
        let (closed, wait) = mpsc::channel::<()>();
        let close = move || {
            drop(consumer);
            drop(closed);
        };
        // Where no thread starts, it is dropped at once, here. What hangs ends with the process.
        if thread::Builder::new().name("kafka-close".to_owned()).spawn(close).is_ok() {
            wait.recv_timeout(CLOSE_WAIT).ok();
        }
    }
}
