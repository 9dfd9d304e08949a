//! Invoking: inputs checked, tool run, results on record, in this order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::try_join_all;
use jiff::Timestamp;
use runtime::cache::Unpacked;
use runtime::invoke::{Call, Hidden, Limits, Mode as RunMode, Parameters};
use runtime::network::NetworkUse;
use runtime::outcome::{self, Failure, Outcome, Report};
use serde_json::Value;
use tracing::Instrument;

use crate::app::App;
use crate::auth::{Caller, permission};
use crate::domain::admission::{Party, Ticket};
use crate::domain::idempotency::{FirstTurn, Turn};
use crate::domain::resolve::Constraint;
use crate::domain::scrub::scrub;
use crate::domain::variables::OpenVariables;
use crate::error::{Error, Result};
use crate::model::{
    IdempotencyKey, Invocation, InvocationId, InvocationSource, InvocationStatus, Mode, OrgId, Tool, ToolId,
    ToolVersion, Version,
};
use crate::vault::SecretString;

/// One input of an invoke request.
#[derive(Clone)]
pub struct Input {
    /// The parameters: an object.
    pub parameters: Value,
    /// How to run.
    pub mode: Mode,
    /// Variables of the conversation.
    pub nonsensitive_user_variables: BTreeMap<String, String>,
    /// Variables of the conversation that must not be shown.
    pub sensitive_user_variables: BTreeMap<String, SecretString>,
}

/// An invoke request.
pub struct Invoke {
    /// An exact version or a constraint.
    pub version: String,
    /// From 1 to 10.
    pub inputs: Vec<Input>,
    /// On whose behalf; the calling user's, where it is not said.
    pub source: Option<InvocationSource>,
    /// Under which key the client may send the request again.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What came of an invoke request.
pub struct Invoked {
    /// The version that ran.
    pub version: Version,
    /// One for each input, in order.
    pub invocations: Vec<Invocation>,
}

/// A tool that may run, with a ticket for each of its inputs.
pub(crate) struct Admitted {
    pub(crate) loaded: Unpacked,
    pub(crate) tickets: Vec<Ticket>,
}

impl App {
    /// Runs a version once for each input, side by side, and answers when all results are on record. It goes on to its
    /// end even where the caller has gone, so that what has run is recorded.
    pub async fn invoke(self: &Arc<Self>, caller: &Caller, id: ToolId, request: Invoke) -> Result<Invoked> {
        let turn = match self.take_turn(caller, id, &request)? {
            Turn::Over(invoked) => return Ok(invoked),
            Turn::First(first) => Some(first),
            Turn::Unnamed => None,
        };
        let tool = self.live_tool(caller, id, permission::INVOKE_TOOL)?;
        let constraint = Constraint::parse(&request.version, ["path", "version"])?;
        let version = self.resolve_version(&tool, &constraint, &request.version)?;
        // What cannot be recorded does not run.
        self.store.check_writable()?;
        let loaded = self.loaded_tool(&version.component_sha256).await?;
        self.check_inputs(&loaded, &request.inputs).await?;
        let variables = self.open_variables(&tool)?;
        let admitted = self.admit(&caller.org, &tool.id.to_string(), loaded, request.inputs.len())?;

        let (app, caller) = (Arc::clone(self), caller.clone());
        let run = async move {
            let invocations = app.run(&caller, &tool, &version, admitted, variables, request).await?;
            app.record(&caller, &version, &invocations, turn).await?;
            Ok(Invoked { version: version.version, invocations })
        };
        tokio::spawn(run.in_current_span()).await.context("failed to invoke")?
    }

    async fn run(
        self: &Arc<Self>,
        caller: &Caller,
        tool: &Tool,
        version: &ToolVersion,
        Admitted { loaded, tickets }: Admitted,
        variables: OpenVariables,
        request: Invoke,
    ) -> Result<Vec<Invocation>> {
        let tenant: Arc<str> = Arc::from(caller.org.as_str());
        let runs = request.inputs.into_iter().zip(tickets).map(|(input, ticket)| {
            let source = request.source.clone().unwrap_or_else(|| default_source(caller, input.mode));
            let run = self.run_once(&loaded, &variables, &tenant, input, ticket);
            async move {
                let (id, created_at, inputs, report) = run.await?;
                Ok::<_, Error>(record(tool, version, source, (id, created_at, inputs), report))
            }
        });
        try_join_all(runs).await
    }

    async fn record(
        &self,
        caller: &Caller,
        version: &ToolVersion,
        invocations: &[Invocation],
        turn: Option<FirstTurn>,
    ) -> Result<()> {
        let result = turn.as_ref().map(|turn| (turn.scope_key(), self.first_result(turn, version, invocations)));
        let result = result.as_ref().map(|(scope, result)| (*scope, result));
        let began = Instant::now();
        self.store.record_once(&caller.org, invocations, result).await?;
        self.observe("record", began.elapsed());
        self.indexing.wake();
        Ok(())
    }

    /// Room for so many invocations of a tool, or none.
    pub(crate) fn admit(&self, org: &OrgId, tool: &str, loaded: Unpacked, count: usize) -> Result<Admitted> {
        let memory_bytes = loaded.most_memory_bytes(&self.invoke_limits());
        let party = Party { org: org.clone(), tool: Arc::from(tool), memory_bytes };
        let tickets = self.invocations.admit(&party, count).inspect_err(|error| {
            let whose = if matches!(error, Error::Crowded { .. }) { "organization" } else { "service" };
            self.metrics.invocations_refused.with_label_values(&[whose]).inc();
        })?;
        Ok(Admitted { loaded, tickets })
    }

    /// Runs a tool once, as soon as it has its turn.
    pub(crate) async fn run_once(
        &self,
        loaded: &Unpacked,
        variables: &OpenVariables,
        tenant: &Arc<str>,
        input: Input,
        mut ticket: Ticket,
    ) -> Result<(InvocationId, Timestamp, Value, Report)> {
        let came = Instant::now();
        ticket.turn().await;
        self.observe("queue", came.elapsed());
        let (id, created_at) = (InvocationId::new(), Timestamp::now());
        let exposed = |value: &SecretString| Hidden::from(value.expose().to_owned());
        let call = Call {
            parameters: Parameters::from(&input.parameters),
            mode: match input.mode {
                Mode::Regular => RunMode::Regular,
                Mode::ConversationSimulation => RunMode::ConversationSimulation,
            },
            env: variables.all.iter().map(|(name, value)| (name.clone(), exposed(value))).collect(),
            user_variables: input.nonsensitive_user_variables.clone(),
            sensitive_user_variables: input
                .sensitive_user_variables
                .iter()
                .map(|(name, value)| (name.clone(), exposed(value)))
                .collect(),
            invocation_id: id.to_string(),
            tenant: Arc::clone(tenant),
            echoes_logs: false,
        };
        self.metrics.invocations_running.inc();
        let report = self.worker.invoke(loaded.sha256(), &call, &self.invoke_limits()).await;
        self.metrics.invocations_running.dec();
        let report = report.map_err(Error::from)?;
        self.count(ticket.tool(), input.mode, &report);
        let sensitive = input.sensitive_user_variables.values();
        let secrets: Vec<_> = variables.secrets.iter().chain(sensitive).cloned().collect();
        let report = scrub(report, &secrets);
        if report.network.denied > 0 {
            // One line for each invocation, with no more names than the report keeps.
            let NetworkUse { denied, denied_hosts, .. } = &report.network;
            tracing::info!(invocation.id = %id, denied, hosts = denied_hosts.join(", "), "Refused a tool's connections");
        }
        Ok((id, created_at, input.parameters, report))
    }

    pub(crate) fn invoke_limits(&self) -> Limits {
        let settings = &self.config.invoke;
        Limits {
            wall_clock: Duration::from_secs(settings.wall_clock_s),
            memory_bytes: settings.memory_mib << 20,
            log_bytes: settings.log_kib << 10,
            output_bytes: settings.output_kib << 10,
            tmp_bytes: settings.tmp_mib << 20,
            tmp_files: settings.tmp_files,
            open_files: settings.open_files,
        }
    }

    fn observe(&self, phase: &str, duration: Duration) {
        self.metrics.invocation_phase.with_label_values(&[phase]).observe(duration.as_secs_f64());
    }

    fn count(&self, tool: &str, mode: Mode, report: &Report) {
        self.observe("start", report.startup);
        self.observe("run", report.duration.saturating_sub(report.startup));
        let NetworkUse { connections, denied, .. } = report.network;
        self.metrics.egress.with_label_values(&["allowed"]).inc_by(connections);
        self.metrics.egress.with_label_values(&["denied"]).inc_by(denied);
        let outcome = match &report.outcome {
            Outcome::Returned { .. } => "succeeded",
            Outcome::Failed(failure) => {
                if outcome::STOPPED.contains(&failure.exception_type.as_str()) {
                    self.metrics.invocations_stopped.with_label_values(&[&failure.exception_type]).inc();
                }
                "failed"
            }
        };
        let mode = match mode {
            Mode::Regular => "regular",
            Mode::ConversationSimulation => "simulation",
        };
        self.metrics.invocations.with_label_values(&[&*self.tool_labels.of(tool), mode, outcome]).inc();
        self.metrics.invocation_duration.with_label_values(&[outcome]).observe(report.duration.as_secs_f64());
    }
}

fn default_source(caller: &Caller, mode: Mode) -> InvocationSource {
    match mode {
        Mode::Regular => InvocationSource::RegularConversation {
            user_id: caller.user_id,
            conversation_id: None,
            interaction_id: None,
            invocation_metadata: None,
        },
        Mode::ConversationSimulation => InvocationSource::SimulationConversation {
            simulation_unit_test_set_run_id: None,
            unit_test_id: None,
            run_index: None,
            invocation_metadata: None,
        },
    }
}

fn record(
    tool: &Tool,
    version: &ToolVersion,
    invocation_source: InvocationSource,
    (id, created_at, inputs): (InvocationId, Timestamp, Value),
    report: Report,
) -> Invocation {
    let duration_ms = duration_ms(&report);
    Invocation {
        id,
        org_id: tool.org_id.clone(),
        created_at,
        invocation_status: status_of(report.outcome),
        invocation_source,
        duration_ms,
        tool_id: tool.id,
        tool_version: version.version,
        inputs,
        logs: report.logs,
    }
}

/// What came of a run, as it goes on record.
pub(crate) fn status_of(outcome: Outcome) -> InvocationStatus {
    match outcome {
        Outcome::Returned { output } => InvocationStatus::Succeeded { output },
        Outcome::Failed(Failure { exception_type, message, stack_trace }) => {
            InvocationStatus::Failed { exception_message: message, exception_type, exception_stack_trace: stack_trace }
        }
    }
}

/// How long a run took. Microseconds are what the clock is good for.
pub(crate) fn duration_ms(report: &Report) -> f64 {
    (report.duration.as_secs_f64() * 1e6).round() / 1e3
}
