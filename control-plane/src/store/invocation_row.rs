//! How an invocation is stored: as it is, but for values that may be large, which become blobs on their own. Equal
//! inputs and outputs, which simulations have many of, are then kept once.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Blobs;
use super::invocation_columns::Entry;
use super::rows::Stored;
use crate::error::Result;
use crate::model::{Invocation, InvocationId, InvocationSource, InvocationStatus, OrgId, ToolId, Version};

/// An [`Invocation`] as a row.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct InvocationRow {
    id: InvocationId,
    org_id: OrgId,
    created_at: Timestamp,
    status: StatusRow,
    source: InvocationSource,
    duration_ms: f64,
    tool_id: ToolId,
    tool_version: Version,
    inputs: Stored<Value>,
    logs: Stored<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatusRow {
    Succeeded {
        output: Stored<String>,
    },
    Failed {
        exception_message: Stored<String>,
        exception_type: Stored<String>,
        exception_stack_trace: Stored<Vec<String>>,
    },
}

impl InvocationRow {
    /// The row of an invocation. Blobs that have to be put before it are added to `blobs`.
    pub(super) fn new(invocation: &Invocation, blobs: &mut Vec<Vec<u8>>) -> Result<Self> {
        let invocation = invocation.clone();
        Ok(Self {
            id: invocation.id,
            org_id: invocation.org_id,
            created_at: invocation.created_at,
            status: StatusRow::new(invocation.invocation_status, blobs)?,
            source: invocation.invocation_source,
            duration_ms: invocation.duration_ms,
            tool_id: invocation.tool_id,
            tool_version: invocation.tool_version,
            inputs: Stored::new(invocation.inputs, blobs)?,
            logs: Stored::new(invocation.logs, blobs)?,
        })
    }

    /// The blobs that it names.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &str> {
        let status = match &self.status {
            StatusRow::Succeeded { output } => [output.blob(), None, None],
            StatusRow::Failed { exception_message, exception_type, exception_stack_trace } => {
                [exception_message.blob(), exception_type.blob(), exception_stack_trace.blob()]
            }
        };
        [self.inputs.blob(), self.logs.blob()].into_iter().chain(status).flatten()
    }

    /// Whether it is an organization's.
    pub(super) fn is_of(&self, org: &OrgId) -> bool {
        self.org_id == *org
    }

    /// What the columns hold of it.
    pub(super) fn entry(&self) -> Entry {
        let succeeded = matches!(self.status, StatusRow::Succeeded { .. });
        Entry::new(self.id, self.created_at, (self.tool_id, self.tool_version), &self.source, succeeded)
    }

    /// The invocation, with what is kept in blobs.
    pub(super) fn load(self, blobs: &Blobs) -> Result<Invocation> {
        let logs = self.logs.clone().load(blobs)?;
        Ok(Invocation { logs, ..self.load_without_logs(blobs)? })
    }

    /// The invocation as lists show it: what the tool printed is not read.
    pub(super) fn load_without_logs(self, blobs: &Blobs) -> Result<Invocation> {
        Ok(Invocation {
            id: self.id,
            org_id: self.org_id,
            created_at: self.created_at,
            invocation_status: self.status.load(blobs)?,
            invocation_source: self.source,
            duration_ms: self.duration_ms,
            tool_id: self.tool_id,
            tool_version: self.tool_version,
            inputs: self.inputs.load(blobs)?,
            logs: String::new(),
        })
    }
}

impl StatusRow {
    fn new(status: InvocationStatus, blobs: &mut Vec<Vec<u8>>) -> Result<Self> {
        Ok(match status {
            InvocationStatus::Succeeded { output } => Self::Succeeded { output: Stored::new(output, blobs)? },
            InvocationStatus::Failed { exception_message, exception_type, exception_stack_trace } => Self::Failed {
                exception_message: Stored::new(exception_message, blobs)?,
                exception_type: Stored::new(exception_type, blobs)?,
                exception_stack_trace: Stored::new(exception_stack_trace, blobs)?,
            },
        })
    }

    fn load(self, blobs: &Blobs) -> Result<InvocationStatus> {
        Ok(match self {
            Self::Succeeded { output } => InvocationStatus::Succeeded { output: output.load(blobs)? },
            Self::Failed { exception_message, exception_type, exception_stack_trace } => InvocationStatus::Failed {
                exception_message: exception_message.load(blobs)?,
                exception_type: exception_type.load(blobs)?,
                exception_stack_trace: exception_stack_trace.load(blobs)?,
            },
        })
    }
}
