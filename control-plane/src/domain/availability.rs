//! Whether the service takes requests now.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::App;
use crate::error::{Error, Result};

/// Whether the service is on its way out.
#[derive(Debug, Default)]
pub struct Availability {
    stopping: AtomicBool,
}

impl App {
    /// From now on no request is taken; those that were taken are carried out.
    pub fn stop_taking_requests(&self) {
        self.availability.stopping.store(true, Ordering::Relaxed);
    }

    /// Refuses while the service is shutting down or in maintenance.
    pub fn check_available(&self) -> Result<()> {
        if self.availability.stopping.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("the service is shutting down: try again in a moment".to_owned()));
        }
        if self.config.http.maintenance {
            return Err(Error::Unavailable("the service is in maintenance: try again later".to_owned()));
        }
        Ok(())
    }
}
