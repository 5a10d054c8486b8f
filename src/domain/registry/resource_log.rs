//! What registries log, in Azure Monitor's shape: sign-ins, and what is done in repositories.
//! Must not know: where records are kept, who reads them.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::domain::registry::Registry;
use crate::domain::world::time::Timestamp;
use crate::domain::world::well_known::TENANT_ID;

/// The category of sign-ins.
pub const LOGIN: &str = "ContainerRegistryLoginEvents";
/// The category of what is done in repositories.
pub const REPOSITORY: &str = "ContainerRegistryRepositoryEvents";

/// How a client asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub address: IpAddr,
    /// `User-Agent`.
    pub client: String,
    pub correlation: String,
    /// Machine time.
    pub began: Timestamp,
}

/// Who asked, as records name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// A principal's object id, or the user name of a token or of the admin user. Empty: nobody in particular.
    pub id: String,
    /// The display name of a principal.
    pub name: Option<String>,
}

/// What in a repository is meant, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Object {
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
    pub media_type: Option<String>,
    pub artifact_type: Option<String>,
    /// Bytes of the manifest.
    pub size: Option<u64>,
}

/// What was done.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A token was given; its `jti`, if it was.
    Login(Option<String>),
    /// Something in a repository. The names are those that Azure logs [docs]: push, pull, untag, delete, purge tag and
    /// purge manifest; how the last two are written is [inferred].
    Repository(&'static str, Object),
}

/// One record.
#[derive(Debug)]
pub struct Record<'a> {
    /// Simulated time.
    pub time: Timestamp,
    pub registry: &'a Registry,
    pub identity: &'a Identity,
    /// `None`: the registry did it by itself.
    pub asked: Option<&'a Asked>,
    pub deed: Deed,
    /// The status code that it was answered with.
    pub status: u16,
    /// Machine microseconds that the answer took.
    pub took: i64,
}

impl Record<'_> {
    /// The record. Columns are those of the tables in Log Analytics [docs]. That the status code stands in
    /// `resultDescription` is what the documentation's own queries ask for; the fields of all resource logs stand outside of
    /// `properties`, the others in it [inferred].
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut properties = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                properties.insert(name.to_owned(), value);
            }
        };
        put("loginServer", Some(json!(self.registry.login_server())));
        put("userAgent", Some(json!(self.asked.map_or("", |asked| &asked.client))));
        let (category, operation) = match &self.deed {
            Deed::Login(token) => {
                put("jwtId", token.as_ref().map(|id| json!(id)));
                (LOGIN, "Login")
            }
            Deed::Repository(operation, object) => {
                put("userTenantId", Some(json!(TENANT_ID)));
                put("repository", Some(json!(object.repository)));
                put("tag", object.tag.as_ref().map(|tag| json!(tag)));
                put("digest", object.digest.as_ref().map(|digest| json!(digest)));
                put("mediaType", object.media_type.as_ref().map(|kind| json!(kind)));
                put("artifactType", object.artifact_type.as_ref().map(|kind| json!(kind)));
                put("size", object.size.map(|size| json!(size)));
                (REPOSITORY, *operation)
            }
        };
        json!({
            "time": self.time.zulu7(), "category": category, "operationName": operation,
            "resultType": "HttpStatusCode", "resultDescription": self.status.to_string(),
            "correlationId": self.asked.map_or("", |asked| &asked.correlation),
            "callerIpAddress": self.asked.map_or(String::new(), |asked| asked.address.to_string()),
            "identity": self.identity.id, "properties": properties,
            "resourceId": self.registry.arm_id().to_ascii_uppercase(),
            "location": self.registry.location, "durationMs": (self.took / 1000).to_string(),
        })
    }
}
