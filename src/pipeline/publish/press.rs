//! How does a job go on while its tables are written?
//!
//! ```text
//! commit → view + what is to be written → thread: tables → outbox cleared
//!        → further commits meanwhile, for the next time
//! ```
//!
//! The thread has the publisher, and of the state a view. What was written is not wanted again once the loop has cleared the
//! outbox; a crash before that writes it once more, as after any publish that was cut short.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::members::{Known, Work};
use super::{Published, Publisher};
use crate::error::{Context, Error, Kind, Result};
use crate::pipeline::registry::Registry;
use crate::score::Model;
use crate::state::View;

/// Writes tables, while others wait or aside.
pub(in crate::pipeline) struct Press {
    /// Away while a thread has it.
    publisher: Option<Publisher>,
    under_way: Option<UnderWay>,
    model: Arc<Model>,
}

struct UnderWay {
    commit: u64,
    thread: Option<JoinHandle<(Publisher, Result<Published>)>>,
}

impl Press {
    pub(in crate::pipeline) fn new(publisher: Publisher, model: &Model) -> Self {
        Self { publisher: Some(publisher), under_way: None, model: Arc::new(model.clone()) }
    }

    /// The publisher; it must not be under way.
    pub(in crate::pipeline) fn publisher(&self) -> Result<&Publisher> {
        self.publisher.as_ref().ok_or_else(away)
    }

    /// As [`Press::publisher`].
    pub(in crate::pipeline) fn publisher_mut(&mut self) -> Result<&mut Publisher> {
        self.publisher.as_mut().ok_or_else(away)
    }

    /// Begins to publish what waits in a view, of whose commit the registry is.
    ///
    /// **Errors:** `Unavailable` where no thread can be started; `Data` of the state.
    pub(in crate::pipeline) fn start(&mut self, view: View, registry: &Registry) -> Result<()> {
        let work = Work::of(&view, registry)?.noted(registry);
        let mut publisher = self.publisher.take().ok_or_else(away)?;
        let (commit, model) = (view.sequence(), Arc::clone(&self.model));
        let thread = std::thread::Builder::new().name("publish".into());
        let thread = thread.spawn(move || {
            let known = Known::Noted { work: &work, model: &model };
            let published = publisher.write(&view, known, &work);
            (publisher, published)
        });
        let thread = thread.context(Kind::Unavailable, "start the thread that publishes")?;
        self.under_way = Some(UnderWay { commit, thread: Some(thread) });
        Ok(())
    }

    /// Whether something is being written.
    pub(in crate::pipeline) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether what was being written is done, so that nobody has to wait for it.
    pub(in crate::pipeline) fn is_done(&self) -> bool {
        let thread = self.under_way.as_ref().and_then(|it| it.thread.as_ref());
        thread.is_some_and(JoinHandle::is_finished)
    }

    /// Waits for what is being written: its commit, whose outbox can be cleared where all went well; `None` where nothing is.
    ///
    /// **Errors:** `Internal` where the thread panicked.
    pub(in crate::pipeline) fn finish(&mut self) -> Result<Option<(u64, Result<Published>)>> {
        let Some(mut under_way) = self.under_way.take() else { return Ok(None) };
        let Some(thread) = under_way.thread.take() else { return Ok(None) };
        let (publisher, published) =
            thread.join().map_err(|_| Error::internal("the thread that publishes panicked"))?;
        self.publisher = Some(publisher);
        Ok(Some((under_way.commit, published)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by its hook; what was not published is published by the next start.
            let _ = thread.join();
        }
    }
}

fn away() -> Error {
    Error::internal("the tables are being written")
}
