//! Fetching and pushing: who may, and what follows an accepted push.

use std::sync::Arc;

use tokio::io::AsyncRead;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Result;
use crate::failpoint::Place;
use crate::git::{Answer, RefUpdate, Service};

impl App {
    /// What the organization's repository has and can do. `protocol` is the `Git-Protocol` header.
    pub async fn advertise(&self, caller: &Caller, service: Service, protocol: Option<&str>) -> Result<Answer> {
        let repository = self.git_repository(caller)?;
        if service == Service::ReceivePack {
            // Said before the client has made its pack.
            self.store.check_writable()?;
        }
        let advertised = repository.advertise(service, protocol).await;
        self.count_git("advertise", &advertised);
        advertised
    }

    /// A fetch. `body` is the request, decompressed.
    pub async fn fetch(
        &self,
        caller: &Caller,
        protocol: Option<&str>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        let fetched = self.git_repository(caller)?.fetch(protocol, body).await;
        self.count_git("fetch", &fetched);
        fetched
    }

    fn count_git(&self, operation: &str, outcome: &Result<Answer>) {
        let outcome = if outcome.is_ok() { "begun" } else { "refused" };
        self.metrics.git_operations.with_label_values(&[operation, outcome]).inc();
    }

    /// A push. The caller's rights are those of its beginning: a token may expire while it arrives.
    pub async fn push(
        self: &Arc<Self>,
        caller: &Caller,
        protocol: Option<&str>,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer> {
        let repository = self.git_repository(caller)?;
        self.store.check_writable()?;
        let repository = repository.with_room(self.store.room_bytes()?);
        let (app, caller) = (Arc::clone(self), caller.clone());
        let accepted = move |updates: Vec<RefUpdate>| async move { app.push_accepted(&caller, &updates).await };
        let pushed = repository.push(protocol, body, accepted).await;
        self.count_git("push", &pushed);
        pushed
    }

    /// What follows a push: called once for each that changed anything, with all that it changed, when that is durable
    /// and before the client is told. The push has happened, so nothing here can refuse it.
    async fn push_accepted(self: &Arc<Self>, caller: &Caller, updates: &[RefUpdate]) {
        self.config.testing.stop_at.pass(Place::PushAccepted);
        tracing::info!(org = %caller.org, user = %caller.user_id, count = updates.len(), "Accepted a push");
        self.metrics.git_pushes.with_label_values::<&str>(&[]).inc();
        self.record_push(caller, updates.to_vec()).await;
        self.maintain_later(&caller.org);
    }
}
