//! Testing: a branch's tip is built and run. It is published nowhere, and its results are recorded nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use futures::future::try_join_all;
use sdk::project::Manifest;

use crate::app::App;
use crate::auth::{Attributes, Caller, permission};
use crate::config;
use crate::domain::builds::refused;
use crate::domain::invoke::{Admitted, Input, duration_ms, status_of};
use crate::domain::scrub::scrub_refusal;
use crate::domain::steps::Steps;
use crate::domain::variables::{OpenVariables, check_value};
use crate::error::{Error, Result, Step};
use crate::model::{EnvVarName, InvocationStatus, OrgId};
use crate::vault::SecretString;

/// What is to be tested, and with what.
pub struct ToolTest {
    /// From 1 to 10.
    pub inputs: Vec<Input>,
    /// The branch whose tip is tested.
    pub commit_branch: String,
    /// The project's folder within the repository.
    pub project_path: String,
    /// The tool's variables.
    pub envvars: BTreeMap<EnvVarName, SecretString>,
    /// The tool's secret variables.
    pub secret_envvars: BTreeMap<EnvVarName, SecretString>,
}

/// What came of one input.
pub struct TestResult {
    /// What the tool returned or raised.
    pub status: InvocationStatus,
    /// Wall clock from the call of the tool to its result.
    pub duration_ms: f64,
}

impl App {
    /// Builds a project, or finds its build, and runs it once for each input, side by side.
    ///
    /// There is no tool yet whose attributes a grant's conditions could be held against, so they are held against none:
    /// who may modify only tools of some name or tag may test nothing, who may modify all but some may test everything.
    /// Only the given variables are there, and never a tool's own.
    pub async fn test_tool(self: &Arc<Self>, caller: &Caller, request: ToolTest) -> Result<Vec<TestResult>> {
        caller.require(permission::MODIFY_TOOL, &Attributes::new())?;
        request.check(&self.config.tool)?;
        let (app, org) = (Arc::clone(self), caller.org.clone());
        // In a task of its own, so that a build that has begun is kept even where the caller has gone.
        let tested = tokio::spawn(async move { app.build_and_run(&org, request).await });
        tested.await.context("failed to test the tool")?
    }

    async fn build_and_run(self: &Arc<Self>, org: &OrgId, request: ToolTest) -> Result<Vec<TestResult>> {
        let source = self.locate(org, &request.commit_branch, &request.project_path).await?;
        request.check_required(&source.manifest)?;
        let secrets: Vec<_> = request.secret_envvars.values().cloned().collect();
        let (component_sha256, loaded) = {
            let _used = self.using_builds.read().await;
            let built = self.build(org, &source, &Steps::unwatched(&self.metrics.build_step)).await;
            let (_key, build) = built.map_err(|error| scrub_refusal(error, &secrets))?;
            let loaded = self.loaded_tool(&build.component_sha256).await?;
            (build.component_sha256, loaded)
        };
        loaded.check_memory(&self.invoke_limits()).map_err(|problem| refused(problem.into()))?;
        self.check_inputs(&loaded, &request.inputs).await?;

        let Admitted { loaded, tickets } = self.admit(org, &component_sha256, loaded, request.inputs.len())?;
        let (inputs, variables) = request.opened();
        let tenant: Arc<str> = Arc::from(org.as_str());
        let runs = inputs.into_iter().zip(tickets).map(|(input, ticket)| {
            let run = self.run_once(&loaded, &variables, &tenant, input, ticket);
            async move {
                let (_id, _created_at, _inputs, report) = run.await?;
                let duration_ms = duration_ms(&report);
                Ok::<_, Error>(TestResult { status: status_of(report.outcome), duration_ms })
            }
        });
        try_join_all(runs).await
    }
}

impl ToolTest {
    /// What can be judged without the project.
    fn check(&self, settings: &config::Tool) -> Result<()> {
        let kinds = [("required_envvars", &self.envvars), ("required_secret_envvars", &self.secret_envvars)];
        for (field, variables) in kinds {
            if variables.len() > settings.max_variables {
                let message = format!("there are at most {} variables", settings.max_variables);
                return Err(Error::invalid(["body", field], "too_long", message));
            }
            for (name, value) in variables {
                check_value(name, value, settings, [Step::from("body"), Step::from(field), Step::from(name.as_str())])?;
            }
        }
        if let Some(name) = self.envvars.keys().find(|name| self.secret_envvars.contains_key(*name)) {
            let message = format!(
                "variable {name} stands in required_envvars and in required_secret_envvars: give it in one of the two"
            );
            return Err(Error::BadRequest(message));
        }
        Ok(())
    }

    /// All that the project requires has to be given, as secret as the project says.
    fn check_required(&self, manifest: &Manifest) -> Result<()> {
        let lists = [
            (&manifest.env, "env", &self.envvars, "required_envvars"),
            (&manifest.secrets, "secrets", &self.secret_envvars, "required_secret_envvars"),
        ];
        let mut problems = Vec::new();
        for (required, list, given, field) in lists {
            for name in required.iter().filter(|name| !given.keys().any(|given| given.as_str() == name.as_str())) {
                let message = format!("the project requires the variable {name} (`{list}`), and it is not given");
                problems.push(manifest.variable_problem(name, message, format!("give it in {field}")).to_string());
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::BadRequest(problems.join("\n"))) }
    }

    fn opened(self) -> (Vec<Input>, OpenVariables) {
        let secrets = self.secret_envvars.values().cloned().collect();
        let all = self.envvars.into_iter().chain(self.secret_envvars);
        let all = all.map(|(name, value)| (name.to_string(), value)).collect();
        (self.inputs, OpenVariables { all, secrets })
    }
}
