//! Maintenance of an organization's repository, in the background.

use std::sync::Arc;

use crate::app::App;
use crate::domain::verify::published_commits;
use crate::error::Result;
use crate::git::maintenance::Maintained;
use crate::model::OrgId;

impl App {
    /// Sees to the repository, if it needs it and nobody is at it.
    pub(crate) fn maintain_later(self: &Arc<Self>, org: &OrgId) {
        let (app, org) = (Arc::clone(self), org.clone());
        tokio::spawn(async move {
            let (store, of) = (Arc::clone(&app), org.clone());
            let maintained = app.repositories.repository(&org).maintain(move || store.published_commits(&of)).await;
            let outcome = match maintained {
                Ok(Maintained::NotNeeded) => return,
                Ok(Maintained::Combined) => "combined",
                Ok(Maintained::Pruned) => "pruned",
                Err(error) => {
                    tracing::warn!(%org, ?error, "Could not maintain a repository");
                    "failed"
                }
            };
            app.metrics.git_maintenance.with_label_values(&[outcome]).inc();
        });
    }

    /// The commits that versions were published from, deprecated ones too: records name them. It blocks.
    fn published_commits(&self, org: &OrgId) -> Result<Vec<String>> {
        published_commits(&self.store, org)
    }
}
