//! One invocation: a fresh instance in a fresh store, dropped when it has answered.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sdk::artifact::Label;
use sdk::egress::Egress;
use sdk::sandbox::{self, Host, Logs};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Store;
use zeroize::Zeroizing;

use crate::component::Tool;
use crate::error::Error;
use crate::memory;
use crate::network::{BoundSecrets, Session};
use crate::outcome::{Failure, Outcome, Report};
use crate::shares::Spent;

/// The most that one invocation may use.
pub type Limits = sandbox::Limits;

/// What the tool is called with.
#[derive(Debug, Serialize)]
pub struct Call<'a> {
    /// The input, already held against the schema.
    pub parameters: Parameters<'a>,
    /// Whether this is a simulation.
    pub mode: Mode,
    /// Environment variables, secret ones among them.
    #[serde(skip)]
    pub env: BTreeMap<String, Hidden>,
    /// Variables of the conversation.
    pub user_variables: BTreeMap<String, String>,
    /// Variables of the conversation that must not be shown.
    #[serde(serialize_with = "exposed")]
    pub sensitive_user_variables: BTreeMap<String, Hidden>,
    /// The id under which the invocation is recorded.
    pub invocation_id: String,
    /// Whose invocation it is: connections to servers are shared among those of one tenant only, and processors are shared
    /// equally by tenants.
    #[serde(skip)]
    pub tenant: Arc<str>,
    /// Whether what the tool prints is shown on standard error as it comes, beside being kept.
    #[serde(skip)]
    pub echoes_logs: bool,
}

/// An input, as a value or as it is written.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Parameters<'a> {
    /// A value.
    Value(&'a Value),
    /// JSON that nobody here has to understand.
    Json(&'a RawValue),
}

impl<'a> From<&'a Value> for Parameters<'a> {
    fn from(value: &'a Value) -> Self {
        Self::Value(value)
    }
}

impl<'a> From<&'a RawValue> for Parameters<'a> {
    fn from(json: &'a RawValue) -> Self {
        Self::Json(json)
    }
}

/// A text that `Debug` does not show, and that is wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// How the tool is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For real.
    Regular,
    /// In a simulation: the tool's stand-in runs, where it has one.
    ConversationSimulation,
}

impl<'a> Call<'a> {
    /// A call without variables.
    pub fn new(parameters: impl Into<Parameters<'a>>, mode: Mode) -> Self {
        Self {
            parameters: parameters.into(),
            mode,
            env: BTreeMap::new(),
            user_variables: BTreeMap::new(),
            sensitive_user_variables: BTreeMap::new(),
            invocation_id: String::new(),
            tenant: Arc::from(""),
            echoes_logs: false,
        }
    }
}

/// What remains of an instance that has answered. Dropping it makes its memory clean for the next one.
pub(crate) struct Remains(
    #[expect(dead_code, reason = "it is there to be dropped")] Option<(Store<Host>, OwnedSemaphorePermit)>,
);

impl Tool {
    /// Runs the tool once. The limits are the host's; the author's own apply where they are lower.
    pub async fn invoke(&self, call: &Call<'_>, limits: &Limits) -> Result<Report, Error> {
        let (report, remains) = self.invoke_and_leave(call, limits).await?;
        // Making its memory clean again takes a while, in which the result can already be on its way.
        tokio::spawn(async move { drop(remains) });
        Ok(report)
    }

    /// The same, for whoever first hands on the result and then drops what remains of the instance.
    pub(crate) async fn invoke_and_leave(&self, call: &Call<'_>, limits: &Limits) -> Result<(Report, Remains), Error> {
        let limits = self.narrowed(limits);
        if self.inner.image.len() > limits.memory_bytes {
            return Ok((Report::of(Failure::no_room(self.inner.image.len(), &limits)), Remains(None)));
        }
        let slots = Arc::clone(&self.shared.slots);
        let slot = slots.acquire_owned().await.map_err(|source| Error::internal("wait for a slot", source))?;

        let started = Instant::now();
        let deadline = started + limits.wall_clock;
        let logs = if call.echoes_logs { Logs::echoed } else { Logs::new }(limits.log_bytes);
        let fault = |source: wasmtime::Error| Error::internal("start an instance", anyhow::Error::from(source));
        let Label { egress, bound_secrets, .. } = self.unpacked().label();
        let mut env = Cow::Borrowed(&call.env);
        let bound = match bound_secrets.is_empty() {
            true => BoundSecrets::default(),
            false => BoundSecrets::take(bound_secrets, env.to_mut()),
        };
        let network = Arc::new(Session::new(&self.shared.gateway, &call.tenant, egress.clone(), bound));
        let guests_network = Arc::clone(&network);
        let host = Host::new(self.unpacked().mounts(), guests_network, &logs, &limits).map_err(fault)?;
        let request = request(call, &env, egress, limits.wall_clock)?;

        let mut store = sandbox::store(&self.shared.engine, host, deadline, &limits);
        let spent = Arc::<Spent>::default();
        let (tool, tenant, counted) = (self.clone(), Arc::clone(&call.tenant), Arc::clone(&spent));
        let run = async move {
            let mut startup = Duration::ZERO;
            let answered = tool.shared.shares.fair(&tenant, &counted, async {
                let instance = tool.inner.pre.instantiate_async(&mut store);
                let instance = memory::with_image(&tool.inner.image, instance).await.map_err(fault)?;
                startup = started.elapsed();
                Ok(instance.call_invoke(&mut store, &request).await)
            });
            let answered = tokio::time::timeout_at(deadline.into(), answered).await;
            (answered, startup, store)
        };
        let (answered, startup, store) = self.shared.lanes.run(&spent, run).await;
        let answered = match answered {
            Ok(Err(error)) => return Err(error),
            Ok(Ok(answered)) => Some(answered),
            Err(_elapsed) => None,
        };
        let duration = started.elapsed();
        let memory = &store.data().memory;
        let outcome = match answered {
            None => Outcome::Failed(Failure::out_of_time(&limits)),
            Some(Ok(Ok(output))) if output.len() > limits.output_bytes => {
                Outcome::Failed(Failure::output_too_large(&limits))
            }
            Some(Ok(Ok(output))) => Outcome::Returned { output },
            Some(Ok(Err(failure))) => Outcome::Failed(Failure::raised(failure, memory.refused, &limits)),
            Some(Err(error)) => Outcome::Failed(Failure::crashed(&error, memory.refused, &limits)),
        };
        let (peak_memory_bytes, network) = (memory.peak_bytes, network.used());
        let report = Report { outcome, logs: logs.take(), startup, duration, peak_memory_bytes, network };
        Ok((report, Remains(Some((store, slot)))))
    }

    fn narrowed(&self, limits: &Limits) -> Limits {
        let limits = self.unpacked().narrowed(limits);
        Limits { memory_bytes: limits.memory_bytes.min(self.shared.options.max_memory_bytes), ..limits }
    }
}

/// The guest's view of a call.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(flatten)]
    call: &'a Call<'a>,
    /// With placeholders for secrets that are bound.
    #[serde(serialize_with = "exposed")]
    env: &'a BTreeMap<String, Hidden>,
    /// Seconds since 1970.
    deadline: f64,
    /// For messages: the host decides.
    egress: &'a Egress,
}

/// The call as JSON. It holds the secrets, so it is wiped, and it is written into a buffer that never moves: where a buffer
/// grows, what it was before stays behind.
fn request(
    call: &Call,
    env: &BTreeMap<String, Hidden>,
    egress: &Egress,
    wall_clock: Duration,
) -> Result<Zeroizing<String>, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = (now + wall_clock).as_secs_f64();
    let request = Request { call, env, deadline, egress };
    let fault = |source| Error::internal("write a request", source);
    let mut length = Length(0);
    serde_json::to_writer(&mut length, &request).map_err(fault)?;
    let mut bytes = Vec::with_capacity(length.0);
    serde_json::to_writer(&mut bytes, &request).map_err(fault)?;
    String::from_utf8(bytes)
        .map(Zeroizing::new)
        .map_err(|source| Error::internal("write a request", source.utf8_error()))
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn exposed<S: serde::Serializer>(variables: &BTreeMap<String, Hidden>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(variables.iter().map(|(name, value)| (name, value.expose())))
}
