//! What the control API says, as types: answers are written from them, and the API's description is made from them.
//! Must not know: how any of it comes about.

use schemars::JsonSchema;
use serde::Serialize;

use crate::app::snapshot::Snapshot;
use crate::domain::fault::Counted;

/// What the clock shows.
#[derive(Serialize, JsonSchema)]
pub(super) struct Clock {
    /// The emulator's time, RFC 3339.
    pub now: String,
    /// Seconds of the emulator in one of the machine.
    pub rate: f64,
    pub frozen: bool,
    /// The machine's time.
    pub machine: String,
    /// When something is next due by itself.
    pub next_due: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Registry {
    pub name: String,
    pub login_server: String,
    pub sku: String,
    pub encryption: &'static str,
    /// The key version that wraps the data key.
    pub key: Option<String>,
    pub rotation: Option<&'static str>,
    /// The client id of the identity that goes to the vault, or `system`.
    pub identity: Option<String>,
    pub identity_name: Option<String>,
    /// `open` or `locked`.
    pub state: &'static str,
    pub why: Option<String>,
    pub identity_expires: Option<String>,
    pub last_rotation: Option<String>,
    pub next_poll: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Version {
    pub version: String,
    pub enabled: bool,
    pub state: &'static str,
    /// Registries whose data key it wraps.
    pub protects: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Key {
    pub name: String,
    pub deleted: bool,
    pub versions: Vec<Version>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Vault {
    pub name: String,
    pub deleted: bool,
    pub keys: Vec<Key>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Faults {
    pub faults: Vec<Counted>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Snapshots {
    pub snapshots: Vec<Snapshot>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Differences {
    /// A sentence for each.
    pub differences: Vec<String>,
}
