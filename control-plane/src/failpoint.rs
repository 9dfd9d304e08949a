//! Where the process ends itself as a kill would, for tests of what a crash leaves: a kill from outside meets the instants
//! between a write and its flush too rarely. Without the setting `testing.stop_at` nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;

/// A place that can be named by the setting, in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Records wait, and nothing has them.
    RecordsWaiting,
    /// The journal has records for good, and sled does not have them.
    RecordsJournaled,
    /// Both have them, and nobody was told.
    RecordsConfirmed,
    /// Rows are written, and none of them is flushed.
    RowsWritten,
    /// Rows are flushed by the storage engine, and its files are not synced.
    RowsFlushed,
    /// Rows are durable, and how far the store has come is not noted.
    RowsSynced,
    /// Rows are confirmed, and nobody was told.
    RowsConfirmed,
    /// A blob lies under its name, and no row names it.
    BlobWritten,
    /// A project is exported to be built.
    ProjectExported,
    /// A tool is imported, and nothing of it is kept.
    ToolImported,
    /// A component is among the blobs, and no build names it.
    ComponentKept,
    /// A build is durable, and no version was made from it.
    BuildKept,
    /// A tool is ready to be invoked, and its version is not recorded.
    VersionReady,
    /// A push is durable, and who pushed is not recorded, and nobody was told.
    PushAccepted,
}

/// One of these places, or none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Failpoint(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    place: Place,
    /// How often it is still passed.
    left: AtomicU64,
}

impl Failpoint {
    /// Nowhere.
    pub const NONE: Self = Self(None);

    /// Ends the process where this is the place, and it was passed often enough.
    pub fn pass(&self, place: Place) {
        let Some(armed) = self.0.as_deref().filter(|armed| armed.place == place) else { return };
        if armed.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            // Nothing is flushed, dropped or told, as when the system ends it.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}

impl TryFrom<String> for Failpoint {
    type Error = String;

    /// `rows-written:5` is the sixth time that it comes to this place.
    fn try_from(text: String) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let (place, passes) = text.split_once(':').unwrap_or((&text, "0"));
        let place = Place::deserialize(place.into_deserializer()).map_err(|error: Unknown| error.to_string())?;
        let passes = passes.parse().map_err(|_| format!("`{passes}` is no number of times that a place is passed"))?;
        Ok(Self(Some(Arc::new(Armed { place, left: AtomicU64::new(passes) }))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_with_how_often_it_is_passed() {
        let read = |text: &str| Failpoint::try_from(text.to_owned());
        assert!(read("").unwrap().0.is_none());
        let armed = read("rows-written:5").unwrap();
        assert_eq!(armed.0.as_ref().unwrap().left.load(Ordering::Relaxed), 5);
        armed.pass(Place::RowsWritten);
        armed.pass(Place::RowsSynced);
        assert_eq!(armed.0.as_ref().unwrap().left.load(Ordering::Relaxed), 4);
        assert!(read("rows-writen").unwrap_err().contains("expected one of `records-waiting`"));
        assert!(read("rows-written:often").is_err());
    }
}
