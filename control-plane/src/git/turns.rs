//! Who may run now: how many operations at once, and what may not run beside what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{
    OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore, watch,
};

use super::Limits;
use crate::error::{Error, Result};
use crate::model::OrgId;

/// How many repositories are maintained at once: it can wait, and each keeps a processor busy.
const CONCURRENT_MAINTENANCE: usize = 1;

/// Every organization's lane.
#[derive(Debug, Clone)]
pub(super) struct Lanes {
    server: Arc<Semaphore>,
    per_organization: usize,
    maintenance: Arc<Semaphore>,
    lanes: Arc<Mutex<HashMap<OrgId, Arc<Lane>>>>,
    stop: Arc<watch::Sender<bool>>,
}

/// What is shared by all who use one repository.
#[derive(Debug)]
pub(super) struct Lane {
    server: Arc<Semaphore>,
    organization: Arc<Semaphore>,
    /// Pushes read, pruning writes: an object that a push relies on must not go meanwhile.
    objects: Arc<RwLock<()>>,
    /// Taken while maintenance runs, so that it never does so twice.
    maintenance: Arc<tokio::sync::Mutex<()>>,
    all_maintenance: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// The right to run one operation, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _server: OwnedSemaphorePermit,
    _organization: OwnedSemaphorePermit,
}

/// The right to run maintenance, given back when this is dropped.
#[derive(Debug)]
pub(super) struct MaintenanceTurn {
    _all: OwnedSemaphorePermit,
    _own: OwnedMutexGuard<()>,
}

impl Lanes {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            server: Arc::new(Semaphore::new(limits.concurrent)),
            per_organization: limits.concurrent_per_organization,
            maintenance: Arc::new(Semaphore::new(CONCURRENT_MAINTENANCE)),
            lanes: Arc::default(),
            stop: Arc::new(watch::Sender::new(false)),
        }
    }

    pub(super) fn of(&self, organization: &OrgId) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry(organization.clone()).or_insert_with(|| {
            Arc::new(Lane {
                server: Arc::clone(&self.server),
                organization: Arc::new(Semaphore::new(self.per_organization)),
                objects: Arc::default(),
                maintenance: Arc::default(),
                all_maintenance: Arc::clone(&self.maintenance),
                stop: self.stop.subscribe(),
            })
        });
        Arc::clone(lane)
    }

    /// Tells all maintenance to end, and waits for it.
    pub(super) async fn stop_maintenance(&self) {
        self.stop.send_replace(true);
        let lanes: Vec<_> = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for lane in lanes {
            drop(lane.maintenance.lock().await);
        }
    }
}

impl Lane {
    /// Takes a turn, or says that all are taken. Nobody queues: a client that waits for its turn holds a connection.
    pub(super) fn enter(&self) -> Result<Turn> {
        let busy = |whose: &str| {
            Error::Unavailable(format!("{whose} as many Git operations at once as are allowed: try again soon"))
        };
        let organization = Arc::clone(&self.organization).try_acquire_owned();
        let organization = organization.map_err(|_| busy("the organization runs"))?;
        let server = Arc::clone(&self.server).try_acquire_owned().map_err(|_| busy("the server runs"))?;
        Ok(Turn { _server: server, _organization: organization })
    }

    /// Waits until nothing is pruned, and keeps it so.
    pub(super) async fn keep_objects(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.objects).read_owned().await
    }

    /// Waits until no maintenance runs, and keeps it so.
    pub(super) async fn keep_from_maintenance(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.maintenance).lock_owned().await
    }

    /// Waits until no push runs, and keeps those that come waiting.
    pub(super) async fn keep_pushes_waiting(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.objects).write_owned().await
    }

    /// Keeps pushes waiting. None when one runs.
    pub(super) fn may_prune(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        Arc::clone(&self.objects).try_write_owned().ok()
    }

    /// Takes the repository's turn for maintenance, and waits for the server's. None when another has the repository's,
    /// and once the server stops.
    pub(super) async fn may_maintain(&self) -> Option<MaintenanceTurn> {
        let own = Arc::clone(&self.maintenance).try_lock_owned().ok()?;
        tokio::select! {
            biased;
            () = self.stopped() => None,
            all = Arc::clone(&self.all_maintenance).acquire_owned() => {
                Some(MaintenanceTurn { _all: all.ok()?, _own: own })
            }
        }
    }

    /// Completes when maintenance has to end.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left to say so.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::LIMITS;
    use super::*;

    #[test]
    fn turns_are_counted_for_the_server_and_for_each_organization() {
        let lanes = Lanes::new(&Limits { concurrent: 3, concurrent_per_organization: 2, ..LIMITS });
        let [one, two] = ["one", "two"].map(|name| lanes.of(&OrgId::parse(name).unwrap()));
        let turns = [one.enter().unwrap(), one.enter().unwrap()];
        assert!(one.enter().unwrap_err().to_string().starts_with("the organization runs"));
        let _turn = two.enter().unwrap();
        assert!(two.enter().unwrap_err().to_string().starts_with("the server runs"));
        drop(turns);
        assert!(two.enter().is_ok());
    }

    #[tokio::test]
    async fn nothing_is_pruned_beside_a_push_nor_maintained_twice_or_after_the_end() {
        let lanes = Lanes::new(&LIMITS);
        let lane = lanes.of(&OrgId::parse("acme").unwrap());
        let push = lane.keep_objects().await;
        assert!(lane.may_prune().is_none());
        drop(push);
        assert!(lane.may_prune().is_some());

        let turn = lane.may_maintain().await.unwrap();
        assert!(lane.may_maintain().await.is_none());
        drop(turn);
        lanes.stop_maintenance().await;
        assert!(lane.may_maintain().await.is_none());
    }
}
