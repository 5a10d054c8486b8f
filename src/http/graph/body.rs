//! What clients send: bodies as structs, and what of them an object takes.
//! Must not know: how objects are kept, answers.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::schema::Entity;
use crate::app::directory::{Change, NewPassword};
use crate::domain::error::{DirectoryError, RequestError};
use crate::domain::{Result, Timestamp};
use crate::http::call::Call;

/// Reads a body, which must be an object.
pub(super) async fn read<T: DeserializeOwned>(call: &mut Call) -> Result<T> {
    match call.json().await? {
        Value::Null => Err(RequestError::Malformed("An empty request payload was received.".to_owned()).into()),
        Value::Array(_) => Err(RequestError::Malformed("An object was expected.".to_owned()).into()),
        // The reason speaks of types of this program.
        body => serde_json::from_value(body).map_err(|_| DirectoryError::ValuesInvalid.into()),
    }
}

/// Keeps `null` apart from what is not there.
fn sent<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> std::result::Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An application, service principal, group or user as it is sent: what handlers ask for, and all else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    #[serde(default, deserialize_with = "sent")]
    display_name: Option<Value>,
    pub app_id: Option<String>,
    password_profile: Option<PasswordProfile>,
    password_credentials: Option<Vec<PasswordCredential>>,
    #[serde(rename = "owners@odata.bind", default)]
    owners: Vec<String>,
    #[serde(rename = "members@odata.bind", default)]
    members: Vec<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct PasswordProfile {
    password: Option<String>,
}

/// A secret that is to be made.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordCredential {
    display_name: Option<String>,
    start_date_time: Option<String>,
    end_date_time: Option<String>,
}

impl PasswordCredential {
    pub(super) fn into_asked(self) -> Result<NewPassword> {
        Ok(NewPassword {
            display_name: self.display_name,
            starts_at: time("startDateTime", self.start_date_time)?,
            ends_at: time("endDateTime", self.end_date_time)?,
        })
    }
}

/// A time that a client sent, if it sent one.
fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    // Python writes times without a zone now and then; Graph takes them as UTC.
    let time = Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}Z")));
    time.map(Some).ok_or_else(|| wrong(name, &format!("'{text}' is not a time.")))
}

fn wrong(property: &str, message: &str) -> crate::domain::Error {
    RequestError::InvalidValue { property: property.to_owned(), message: message.to_owned() }.into()
}

/// A text that must be there.
pub(super) fn needed(name: &str, text: Option<String>) -> Result<String> {
    text.filter(|t| !t.is_empty()).ok_or_else(|| wrong(name, "A value is required."))
}

/// What only the service sets: clients that send back what they read change nothing by it.
const SET_BY_SERVICE: [&str; 9] = [
    "id",
    "createdDateTime",
    "deletedDateTime",
    "servicePrincipalNames",
    "servicePrincipalType",
    "securityIdentifier",
    "publisherDomain",
    "createdByAppId",
    "renewedDateTime",
];

impl Sent {
    /// Object ids of the owners that are bound.
    pub(super) fn owners(&self) -> Vec<String> {
        self.owners.iter().map(|text| reference(text)).collect()
    }

    /// Object ids of the members that are bound.
    pub(super) fn members(&self) -> Vec<String> {
        self.members.iter().map(|text| reference(text)).collect()
    }

    /// Whether a property is sent, beside those that have a member here.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.contains_key(name)
    }

    /// Requires a text among the properties.
    pub(super) fn need(&self, name: &str) -> Result<()> {
        needed(name, self.rest.get(name).and_then(Value::as_str).map(str::to_owned)).map(|_| ())
    }

    /// Requires a password, which is not kept: nobody can sign in with it.
    pub(super) fn need_password(&self) -> Result<()> {
        let sent = self.password_profile.as_ref().and_then(|profile| profile.password.clone());
        needed("password", sent).map(|_| ())
    }

    /// The secrets to be made with the object.
    pub(super) fn passwords(&mut self) -> Result<Vec<NewPassword>> {
        self.password_credentials.take().unwrap_or_default().into_iter().map(PasswordCredential::into_asked).collect()
    }

    /// Properties as a change of an object. Names that the type does not have are refused, as Graph refuses them.
    pub(super) fn change(mut self, entity: &Entity) -> Result<Change> {
        // Secrets are made by addPassword. An empty list changes nothing.
        if self.password_credentials.is_some_and(|sent| !sent.is_empty()) {
            let message = "Update to existing credential with KeyId is not allowed; use addPassword.";
            return Err(wrong("passwordCredentials", message));
        }
        let display_name = match self.display_name {
            None => None,
            Some(Value::String(name)) if !name.is_empty() && name.chars().count() <= 256 => Some(name),
            Some(_) => return Err(wrong("displayName", "It must be a text of 1 to 256 characters.")),
        };
        self.rest.retain(|name, _| !name.contains('@') && !SET_BY_SERVICE.contains(&name.as_str()));
        for (name, value) in &self.rest {
            if !entity.has(name) {
                return Err(DirectoryError::PropertyUnknown(name.clone()).into());
            }
            if !entity.fits(name, value) {
                // "false" in quotes would leave enabled what was to be disabled.
                let kind = if entity.is_flag(name) { "type Edm.Boolean" } else { "another type" };
                return Err(wrong(name, &format!("A value of {kind} is required.")));
            }
        }
        Ok(Change { display_name, doc: self.rest })
    }
}

/// `addPassword`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddPassword {
    pub password_credential: Option<PasswordCredential>,
}

/// `removePassword`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovePassword {
    pub key_id: Option<String>,
}

/// A reference to another object.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "@odata.id")]
    id: Option<String>,
}

impl Reference {
    /// Its object id.
    pub(super) fn object(self) -> Result<String> {
        Ok(reference(&needed("@odata.id", self.id)?))
    }
}

/// A federated credential.
#[derive(Debug, Deserialize)]
pub(super) struct Federated {
    pub name: Option<String>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub audiences: Option<Vec<String>>,
    #[serde(default, deserialize_with = "sent")]
    pub description: Option<Option<String>>,
}

/// Ids to be looked for.
#[derive(Debug, Deserialize)]
pub(super) struct Ids {
    pub ids: Option<Vec<String>>,
    pub types: Option<Vec<String>>,
}

/// Groups to be looked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupIds {
    pub group_ids: Option<Vec<String>>,
}

/// A list that must be there.
pub(super) fn listed(name: &str, list: Option<Vec<String>>) -> Result<Vec<String>> {
    list.ok_or_else(|| wrong(name, "A list of texts is required."))
}

/// The object id at the end of an `@odata.id` reference.
fn reference(text: &str) -> String {
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.trim_start_matches("directoryObjects('").trim_end_matches("')").to_owned()
}
