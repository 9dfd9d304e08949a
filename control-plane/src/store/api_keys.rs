//! API keys. `access` writes them.

use super::{Store, rows};
use crate::error::Result;
use crate::model::{ApiKey, ApiKeyId, OrgId};

impl Store {
    /// The key, if there is one of that id; an expired one too.
    pub fn get_api_key(&self, org: &OrgId, id: ApiKeyId) -> Result<Option<ApiKey>> {
        self.read(&self.api_keys, &rows::key(org, &[id.as_bytes()]))
    }

    /// All keys, by id, which is by age; expired ones too.
    pub fn list_api_keys(&self, org: &OrgId) -> Result<Vec<ApiKey>> {
        self.list(&self.api_keys, &rows::key(org, &[]))
    }
}
