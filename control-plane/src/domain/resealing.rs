//! After a change of the vault's key: all variables are sealed anew, beside the requests.

use crate::app::App;
use crate::error::Result;
use crate::model::{OrgId, Tool, ToolId};

impl App {
    /// Seals everything anew that a former key has sealed. It may be called off at any time and goes on at the next start.
    pub async fn reseal(&self) -> Result<()> {
        if !self.vault.has_former_keys() {
            return Ok(());
        }
        for org in self.store.list_organizations()? {
            for tool in self.store.list_tools(&org)? {
                if self.is_outdated(&tool) {
                    self.reseal_tool(&org, tool.id).await?;
                }
            }
        }
        tracing::info!(
            "All variables are sealed with the current key: the former ones can go from vault.former_key_files"
        );
        Ok(())
    }

    fn is_outdated(&self, tool: &Tool) -> bool {
        tool.envvars.values().any(|variable| self.vault.is_outdated(&variable.sealed_value))
    }

    /// Its user and time of change stay, since nothing has changed for whoever looks.
    async fn reseal_tool(&self, org: &OrgId, id: ToolId) -> Result<()> {
        let mut resealed = 0;
        let change = |tool: &mut Tool| -> Result<()> {
            resealed = 0;
            for (name, variable) in &mut tool.envvars {
                if self.vault.is_outdated(&variable.sealed_value) {
                    let value = self.vault.open_sealed(org, id, name, &variable.sealed_value)?;
                    variable.sealed_value = self.vault.seal(org, id, name, &value);
                    resealed += 1;
                }
            }
            Ok(())
        };
        self.store.update_tool(org, id, change).await?;
        self.metrics.resealed.with_label_values::<&str>(&[]).inc_by(resealed);
        Ok(())
    }
}
