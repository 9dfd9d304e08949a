//! `Idempotency-Key`: a request that is sent again is answered with its first result, and runs nothing.
//!
//! By the IETF's draft (draft-ietf-httpapi-idempotency-key-header): a key that comes back with another request is 422;
//! one whose first request still runs is 409, and the client waits, not we. A key belongs to the user and the tool.
//! What is kept is the result of a request that ran, in the transaction that records it. A request that was refused
//! has changed nothing, so it keeps nothing and is judged anew. Where the process dies while the tool runs there is no
//! record either: the tool may then run a second time, as it may without a key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::domain::claims::Claim;
use crate::domain::invoke::{Invoke, Invoked};
use crate::error::{Error, Result};
use crate::model::{FirstResult, Invocation, OrgId, ToolId, ToolVersion};
use crate::store::{ScopeKey, scope_key};

/// What a key belongs to.
pub type Scope = (OrgId, ScopeKey);

/// Whose turn it is.
pub enum Turn {
    /// The request has no key.
    Unnamed,
    /// It is the first of its key.
    First(FirstTurn),
    /// It was carried out before, and this came of it.
    Over(Invoked),
}

/// The first request of a key. While it is held, no other one of that key runs.
pub struct FirstTurn {
    scope: ScopeKey,
    fingerprint: String,
    _claim: Claim<Scope>,
}

impl FirstTurn {
    /// What the key belongs to.
    pub fn scope_key(&self) -> &ScopeKey {
        &self.scope
    }
}

impl App {
    /// Finds out whether a request was carried out before under its key.
    pub(crate) fn take_turn(&self, caller: &Caller, id: ToolId, request: &Invoke) -> Result<Turn> {
        let Some(key) = &request.idempotency_key else { return Ok(Turn::Unnamed) };
        self.any_tool(caller, id, permission::INVOKE_TOOL)?;
        let scope = scope_key(&caller.user(), id, key.as_str());
        let content = content(request)?;
        // The claim comes before the look: who holds it while it looks misses nothing that is written meanwhile.
        let claim = self.running_keys.try_take((caller.org.clone(), scope)).ok_or(Error::InProgress)?;
        let Some(first) = self.store.get_first_result(&caller.org, &scope)? else {
            return Ok(Turn::First(FirstTurn { scope, fingerprint: self.vault.fingerprint(&content), _claim: claim }));
        };
        if !self.vault.is_fingerprint(&first.fingerprint, &content) {
            let message = "this key was sent with another request before: take a new key for a new request";
            return Err(Error::invalid(["header", "idempotency-key"], "idempotency_key_reused", message));
        }
        let invocations = first.invocations.iter().map(|id| {
            let invocation = self.store.get_invocation(&caller.org, *id)?;
            let gone = || Error::Conflict("the key's first result is no longer on record: take a new key".to_owned());
            invocation.ok_or_else(gone)
        });
        Ok(Turn::Over(Invoked { version: first.version, invocations: invocations.collect::<Result<_>>()? }))
    }

    /// What is to be kept of a first request.
    pub(crate) fn first_result(
        &self,
        turn: &FirstTurn,
        version: &ToolVersion,
        invocations: &[Invocation],
    ) -> FirstResult {
        let lifetime_s = i64::try_from(self.config.invoke.idempotency_key_lifetime_s).unwrap_or(i64::MAX);
        let expires_at = Timestamp::now().checked_add(SignedDuration::from_secs(lifetime_s));
        FirstResult {
            fingerprint: turn.fingerprint.clone(),
            version: version.version,
            invocations: invocations.iter().map(|invocation| invocation.id).collect(),
            expires_at: expires_at.unwrap_or(Timestamp::MAX),
        }
    }

    /// Forgets the keys that have expired.
    pub async fn sweep_idempotency_keys(&self) {
        match self.store.sweep_first_results(Timestamp::now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "Forgot idempotency keys that have expired"),
            Err(error) => {
                tracing::warn!(%error, "Could not forget idempotency keys; they are kept until it can be done")
            }
        }
    }
}

/// The version and the body as values, so that neither spaces nor the order of fields make another request.
fn content(request: &Invoke) -> Result<Zeroizing<Vec<u8>>> {
    let inputs = request.inputs.iter().map(|input| {
        let exposed = input.sensitive_user_variables.iter().map(|(name, value)| (name, value.expose()));
        let exposed: BTreeMap<_, _> = exposed.collect();
        (&input.parameters, input.mode, &input.nonsensitive_user_variables, exposed)
    });
    let content = serde_json::to_vec(&(&request.version, inputs.collect::<Vec<_>>(), &request.source));
    content.map(Zeroizing::new).map_err(|error| Error::internal(error, "write a request"))
}
