//! Making an organization: its built-in roles, its first administrator, a key to sign in with, its repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;

use crate::app::App;
use crate::auth::permission;
use crate::domain::api_keys::{MAX_DAYS, after_days, new_api_key};
use crate::error::{Error, Result};
use crate::model::access::Action;
use crate::model::{ApiKeyId, Grant, OrgId, Role, RoleName, User, UserId};
use crate::vault::SecretString;

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
        let name = Some("first administrator".to_owned());
        let (api_key, key) = new_api_key(name, RoleName::administrator(), now, after_days(now, MAX_DAYS)?);
        let role_name = RoleName::administrator();
        let user = User { id: UserId::new(), home: None, name: None, created_at: now, role_name };
        self.store.create_organization(org, &built_in_roles()?, &user, &api_key).await?;
        Ok(NewOrganization { organization_id: org.clone(), user_id: user.id, api_key_id: api_key.id, api_key: key })
    }
}

/// The roles that every organization starts with.
fn built_in_roles() -> Result<Vec<Role>> {
    // Who may modify a tool may test it; running what is published, with its secrets, is another right.
    let author = [permission::ACCESS_REPO, permission::CREATE_TOOL, permission::MODIFY_TOOL];
    let roles: [(&str, &[&str]); 3] = [
        (RoleName::ADMINISTRATOR, &["*"]),
        (RoleName::TOOL_AUTHOR, &author),
        (RoleName::USER, &[permission::INVOKE_TOOL]),
    ];
    let grant = |permission: &&str| Grant {
        action: Action::Allow,
        permission_name: (*permission).to_owned(),
        conditions: BTreeMap::new(),
    };
    let role = |(name, permissions): (&str, &[&str])| -> Result<Role> {
        let name = RoleName::parse(name).context("failed to name a built-in role")?;
        Ok(Role { name, permission_grants: permissions.iter().map(grant).collect() })
    };
    roles.into_iter().map(role).collect()
}
