//! Making an organization: its built-in roles, its first administrator, a key to sign in with, its repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::{Error, Result};
use crate::model::access::Action;
use crate::model::{ApiKey, ApiKeyId, Grant, OrgId, Role, User, UserId};
use crate::vault::SecretString;

/// The role that may do everything.
pub const ADMINISTRATOR: &str = "DefaultAdministratorRole";

/// The longest that an API key may be valid.
const API_KEY_DAYS: i64 = 90;

/// An organization that was just made. The key is shown here and never again.
pub struct NewOrganization {
    /// The organization.
    pub organization_id: OrgId,
    /// Its first administrator.
    pub user_id: UserId,
    /// The id of the administrator's key.
    pub api_key_id: ApiKeyId,
    /// The key itself.
    pub api_key: SecretString,
}

impl App {
    /// Makes an organization. It is for the operator at the machine, so there is no caller to authorize.
    pub async fn init_organization(self: &Arc<Self>, org: &OrgId) -> Result<NewOrganization> {
        if self.store.organization_exists(org)? {
            return Err(Error::Conflict(format!("organization `{org}` exists already: choose another name")));
        }
        let app = Arc::clone(self);
        let repository_of = org.clone();
        tokio::task::spawn_blocking(move || app.repositories.create(&repository_of))
            .await
            .context("failed to make the repository")??;

        let now = Timestamp::now();
        let key: SecretString = hex::encode(rand::random::<[u8; 32]>()).into();
        let expires_at =
            now.checked_add((24 * API_KEY_DAYS).hours()).map_err(|error| Error::internal(error, "date the API key"))?;
        let api_key = ApiKey {
            id: ApiKeyId::new(),
            name: Some("first administrator".to_owned()),
            key_sha256: hex::encode(Sha256::digest(key.expose())),
            role_name: ADMINISTRATOR.to_owned(),
            created_at: now,
            expires_at,
        };
        let user = User { id: UserId::new(), created_at: now, role_name: ADMINISTRATOR.to_owned() };
        self.store.create_organization(org, &built_in_roles(), &user, &api_key).await?;
        Ok(NewOrganization { organization_id: org.clone(), user_id: user.id, api_key_id: api_key.id, api_key: key })
    }
}

/// The roles that every organization starts with.
fn built_in_roles() -> Vec<Role> {
    let role = |name: &str, permissions: &[&str]| Role {
        name: name.to_owned(),
        permission_grants: permissions
            .iter()
            .map(|permission| Grant {
                action: Action::Allow,
                permission_name: (*permission).to_owned(),
                conditions: BTreeMap::new(),
            })
            .collect(),
    };
    vec![
        role(ADMINISTRATOR, &["*"]),
        role("DefaultToolAuthorRole", &["Tool:AccessRepo", "Tool:CreateTool", "Tool:ModifyTool", "Tool:InvokeTool"]),
        role("DefaultUserRole", &["Tool:InvokeTool"]),
    ]
}
