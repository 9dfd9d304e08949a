//! Progress of long work, for a person who waits: a bar on a terminal, nothing anywhere else.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Work of a known number of steps. The bar goes when this is dropped.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Starts work of so many steps. Indicatif draws on stderr, and only where that is a terminal.
    pub fn start(title: &'static str, steps: u64) -> Self {
        let bar = ProgressBar::new(steps).with_prefix(title);
        let style = ProgressStyle::with_template("{prefix} [{bar:24}] {msg} ({elapsed})");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar }
    }

    /// Says what is being done now.
    pub fn step(&self, message: impl Into<Cow<'static, str>>) {
        let message = message.into();
        tracing::debug!(step = %message, "Working");
        self.bar.set_message(message);
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
