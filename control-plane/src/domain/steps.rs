//! The steps of a publish, told to whoever watches it.

use std::time::{Duration, Instant};

use prometheus::HistogramVec;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::Result;

/// What a publish does, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Find the branch, the folder and its manifest.
    Locate,
    /// Hold it against the tool: history, variables, number.
    Check,
    /// Wait for a build's turn.
    Queue,
    /// Make the Python base ready, which takes time on a new installation alone.
    Prepare,
    /// Write the project's files out of the repository.
    Export,
    /// Find the versions of its packages, unless a lock names them.
    Resolve,
    /// Fetch its packages and unpack them, unless they were before.
    Install,
    /// Import the tool in the sandbox and snapshot it.
    Import,
    /// Keep the component.
    Store,
    /// Compile the component to machine code, and map it.
    Compile,
    /// Put the version on record.
    Record,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Locate => "locate",
            Self::Check => "check",
            Self::Queue => "queue",
            Self::Prepare => "prepare",
            Self::Export => "export",
            Self::Resolve => "resolve",
            Self::Install => "install",
            Self::Import => "import",
            Self::Store => "store",
            Self::Compile => "compile",
            Self::Record => "record",
        }
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has begun.
    Started,
    /// It is done.
    Succeeded,
    /// It is what the publish failed at.
    Failed,
    /// It was not needed, since the same inputs were built before.
    Skipped,
}

/// News of a step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// How far it is.
    pub state: State,
    /// How long it took, once it has ended.
    pub duration: Option<Duration>,
}

/// Where the news goes. A publish has at most two for each step, so none has to be dropped and nobody waits.
#[derive(Debug, Clone)]
pub struct Steps {
    watcher: Option<UnboundedSender<Progress>>,
    durations: HistogramVec,
}

impl Steps {
    /// Steps that nobody watches.
    pub(crate) fn unwatched(durations: &HistogramVec) -> Self {
        Self { watcher: None, durations: durations.clone() }
    }

    /// Steps, and what to watch them by: it ends when the last clone of the steps is gone.
    pub(crate) fn watched(durations: &HistogramVec) -> (Self, UnboundedReceiver<Progress>) {
        let (sender, receiver) = unbounded_channel();
        (Self { watcher: Some(sender), durations: durations.clone() }, receiver)
    }

    /// Carries out a step.
    pub(crate) async fn take<T>(&self, step: Step, work: impl Future<Output = Result<T>>) -> Result<T> {
        let started = self.start(step);
        let outcome = work.await;
        self.end(step, started, &outcome);
        outcome
    }

    /// Carries out a step that blocks.
    pub(crate) fn take_blocking<T>(&self, step: Step, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = self.start(step);
        let outcome = work();
        self.end(step, started, &outcome);
        outcome
    }

    /// Leaves steps out.
    pub(crate) fn skip(&self, steps: &[Step]) {
        for step in steps {
            self.tell(*step, State::Skipped, None);
        }
    }

    fn start(&self, step: Step) -> Instant {
        self.tell(step, State::Started, None);
        Instant::now()
    }

    fn end<T>(&self, step: Step, started: Instant, outcome: &Result<T>) {
        let (state, label) = if outcome.is_ok() { (State::Succeeded, "succeeded") } else { (State::Failed, "failed") };
        let duration = started.elapsed();
        self.durations.with_label_values(&[step.name(), label]).observe(duration.as_secs_f64());
        self.tell(step, state, Some(duration));
    }

    fn tell(&self, step: Step, state: State, duration: Option<Duration>) {
        if let Some(watcher) = &self.watcher {
            // The watcher may have hung up; the publish goes on.
            let _ = watcher.send(Progress { step, state, duration });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn durations() -> HistogramVec {
        crate::metrics::Metrics::new().unwrap().build_step
    }

    #[tokio::test]
    async fn a_watcher_hears_of_each_step_and_of_the_end() {
        let (steps, mut news) = Steps::watched(&durations());
        steps.take(Step::Locate, async { Ok(()) }).await.unwrap();
        steps.skip(&[Step::Import]);
        let failed = steps.take_blocking::<()>(Step::Compile, || Err(Error::BadRequest("no".to_owned())));
        assert!(failed.is_err());
        drop(steps);
        let mut heard = Vec::new();
        while let Some(progress) = news.recv().await {
            heard.push((progress.step, progress.state, progress.duration.is_some()));
        }
        let expected = [
            (Step::Locate, State::Started, false),
            (Step::Locate, State::Succeeded, true),
            (Step::Import, State::Skipped, false),
            (Step::Compile, State::Started, false),
            (Step::Compile, State::Failed, true),
        ];
        assert_eq!(heard, expected);
    }

    #[tokio::test]
    async fn nobody_has_to_watch() {
        let (steps, news) = Steps::watched(&durations());
        drop(news);
        assert!(steps.take(Step::Check, async { Ok(1) }).await.is_ok());
        assert!(Steps::unwatched(&durations()).take(Step::Check, async { Ok(1) }).await.is_ok());
    }
}
