//! A run: its states, and how long what it leaves is kept.
//! Must not know: what it does.

use serde_json::{Map, Value};

use crate::domain::Timestamp;
use crate::domain::registry::Registry;
use crate::domain::world::time::DAY;

/// How long logs and runs are kept after a run's end [docs: 30 days].
pub const KEPT: i64 = 30 * DAY;
/// How long logs of registries with a customer-managed key are kept [docs: the article].
pub const KEPT_CMK: i64 = DAY;
/// How long an uploaded source is kept. [inferred]
pub const KEPT_SOURCE: i64 = DAY;

/// How a run goes [spec].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Queued,
    Started,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Error,
    Timeout,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Started,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Canceled,
        Self::Error,
        Self::Timeout,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Started => "Started",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Error => "Error",
            Self::Timeout => "Timeout",
        }
    }

    /// Case aside.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Started | Self::Running)
    }

    /// Whether an agent works on the run.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Started | Self::Running)
    }

    /// What the log's metadata says of a run that has ended [cli: the words that az fails for; the rest is inferred].
    #[must_use]
    pub fn in_log(self) -> &'static str {
        match self {
            Self::Queued | Self::Started | Self::Running => "inprogress",
            Self::Succeeded => "successful",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Error => "internalerror",
            Self::Timeout => "timedout",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: i64,
    /// Its registry's row id.
    pub registry: i64,
    pub number: i64,
    /// The name of the task that it is of.
    pub task: Option<String>,
    pub status: Status,
    /// The ARM `properties`, less what the other fields say.
    pub document: Map<String, Value>,
    /// The request, sealed. `None`: the task is carried out as it is defined.
    pub sealed: Option<Vec<u8>>,
    /// It is kept although its time is over.
    pub archived: bool,
    pub created_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

impl Run {
    /// A run that waits; not kept yet.
    #[must_use]
    pub fn new(registry: &Registry, task: Option<&str>, by: &str, at: Timestamp) -> Self {
        Self {
            id: 0,
            registry: registry.id,
            number: 0,
            task: task.map(str::to_owned),
            status: Status::Queued,
            document: Map::new(),
            sealed: None,
            archived: false,
            created_by: by.to_owned(),
            created_at: at,
            started_at: None,
            finished_at: None,
            updated_at: at,
        }
    }

    /// Its id in the registry [recorded].
    #[must_use]
    pub fn name(&self) -> String {
        format!("cf{}", self.number)
    }

    /// The number in a run's id.
    #[must_use]
    pub fn number_of(name: &str) -> Option<i64> {
        let digits = name.get(2..).filter(|_| name.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("cf")))?;
        let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok())?
    }

    /// Its ARM id.
    #[must_use]
    pub fn arm_id(&self, registry: &Registry) -> String {
        format!("{}/runs/{}", registry.arm_id(), self.name())
    }

    /// Ends it, with what there is to say of that.
    pub fn end(&mut self, status: Status, message: Option<&str>, at: Timestamp) {
        self.status = status;
        self.finished_at = Some(at);
        self.updated_at = at;
        // Nobody carries it out any more, and it may hold secrets.
        self.sealed = None;
        if let Some(message) = message {
            self.document.insert("runErrorMessage".to_owned(), message.into());
        }
    }

    /// The name of its log's blob in the registry's container [spec: the example's].
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("logs/{}/rawtext.log", self.name())
    }

    /// The agent pool that it is for.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        self.document.get("agentPoolName").and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_runs_count() {
        assert_eq!(Run::number_of("cf1"), Some(1));
        assert_eq!(Run::number_of("CF12"), Some(12));
        for wrong in ["", "c", "cf", "cf0", "cf01", "cf-1", "cf+1", "ca1", "cf1 ", "ö1"] {
            assert_eq!(Run::number_of(wrong), None, "{wrong}");
        }
    }
}
