//! The directory's objects behind service principals: app registrations and what they sign in with.
//! Must not know: tokens, how Graph writes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::error::{AssertionError, ClientError, Result};
use crate::domain::world::crypto;
use crate::domain::world::time::Timestamp;

/// An app registration: the object behind a service principal of kind `Application`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// Object id. Not the service principal's.
    pub object_id: String,
    /// Application (client) id, which the service principal has too.
    pub app_id: String,
    pub display_name: String,
    pub created_at: Timestamp,
    /// What Graph clients sent besides.
    pub doc: Value,
}

/// A client secret's digest and time, as kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Password {
    pub key_id: String,
    /// The application id it opens.
    pub app_id: String,
    /// Object id of the application or service principal that shows it.
    pub holder: String,
    pub display_name: Option<String>,
    /// Its first three characters.
    pub hint: String,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// Good from.
    pub starts_at: Timestamp,
    /// Good until.
    pub ends_at: Timestamp,
}

/// Whether a secret is one of the application's. It expires in simulated time, like all that Azure does
/// by itself; it may start in machine time too, for clients write their own clock into it.
pub fn check_secret(
    client_id: &str,
    passwords: &[Password],
    secret: &str,
    now: Timestamp,
    machine: Timestamp,
) -> Result<()> {
    let hash = crypto::sha256(secret.as_bytes());
    let mut expired = false;
    for password in passwords {
        if crypto::same_secret(&password.hash, &hash) && password.starts_at <= now.max(machine) {
            if now < password.ends_at {
                return Ok(());
            }
            expired = true;
        }
    }
    let client_id = client_id.to_owned();
    Err(if expired { ClientError::SecretExpired { client_id } } else { ClientError::SecretWrong { client_id } }.into())
}

/// Letters of a client secret [issue: secrets as users paste them].
const SECRET_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

/// A client secret in the shape of Entra ID's: three letters (its hint), `8Q~`, and 34 more.
#[must_use]
pub fn secret_text(random: &[u8; 37]) -> String {
    let letter = |byte: &u8| char::from(SECRET_LETTERS[usize::from(byte % 64)]);
    let (hint, rest) = random.split_at(3);
    hint.iter().map(letter).chain("8Q~".chars()).chain(rest.iter().map(letter)).collect()
}

/// A federated identity credential: whose tokens are taken in place of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedCredential {
    pub id: String,
    /// Application id, or a user-assigned identity's client id.
    pub app_id: String,
    /// Its name, unique in its application.
    pub name: String,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `sub` of the tokens.
    pub subject: String,
    /// `aud` of the tokens: exactly one [docs].
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

/// How many federated credentials one application or identity may have [docs].
pub const FEDERATED_LIMIT: usize = 20;

/// The audience that Azure recommends for federated credentials [docs].
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";
/// The same audience as tokens of Entra ID itself carry it: the resource's application id [docs].
pub const EXCHANGE_APP_ID: &str = "fb60f99c-7a34-4190-8149-302f77469936";

/// Whether a credential fits an assertion's issuer, subject and audiences; else the first claim that
/// fits none. Issuer and subject count in their case, as on Azure [docs].
pub fn check_federated(
    credentials: &[FederatedCredential],
    issuer: &str,
    subject: &str,
    audiences: &[String],
) -> Result<()> {
    let unmatched = |claim, value: &str| Err(AssertionError::Unmatched { claim, value: value.to_owned() }.into());
    let mut fitting = credentials.iter().filter(|c| c.issuer == issuer).peekable();
    if fitting.peek().is_none() {
        return unmatched("issuer", issuer);
    }
    let mut fitting = fitting.filter(|c| c.subject == subject).peekable();
    if fitting.peek().is_none() {
        return unmatched("subject", subject);
    }
    let wanted = |a: &String| audiences.iter().any(|b| a == b || (a == EXCHANGE_AUDIENCE && b == EXCHANGE_APP_ID));
    if !fitting.any(|c| c.audiences.iter().any(wanted)) {
        return unmatched("audience", &audiences.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Error;
    use crate::domain::error::SignInError;

    fn password(secret: &str, from: i64, to: i64) -> Password {
        Password {
            key_id: "k".to_owned(),
            app_id: "a".to_owned(),
            holder: "h".to_owned(),
            display_name: None,
            hint: String::new(),
            hash: crypto::sha256(secret.as_bytes()).to_vec(),
            starts_at: Timestamp(from),
            ends_at: Timestamp(to),
        }
    }

    #[test]
    fn a_secret_is_good_in_its_time_only() {
        let kept = [password("old", 0, 10), password("new", 5, 100)];
        let check = |secret, now| check_secret("a", &kept, secret, Timestamp(now), Timestamp(0));
        assert!(check("old", 9).is_ok() && check("new", 9).is_ok());
        assert_eq!(check("old", 10), Err(Error::from(ClientError::SecretExpired { client_id: "a".to_owned() })));
        assert_eq!(check("new", 4), Err(Error::from(ClientError::SecretWrong { client_id: "a".to_owned() })));
        assert_eq!(check("other", 9), Err(Error::from(ClientError::SecretWrong { client_id: "a".to_owned() })));
    }

    #[test]
    fn secrets_look_like_entra_ids() {
        let secret = secret_text(&[0; 37]);
        assert_eq!(secret.len(), 40);
        assert!(secret.starts_with("AAA8Q~"));
    }

    #[test]
    fn an_assertion_is_told_which_claim_does_not_fit() {
        let credential = FederatedCredential {
            id: "i".to_owned(),
            app_id: "a".to_owned(),
            name: "n".to_owned(),
            issuer: "https://issuer".to_owned(),
            subject: "repo:x".to_owned(),
            audiences: vec![EXCHANGE_AUDIENCE.to_owned()],
            description: None,
        };
        let check = |issuer: &str, subject: &str, audience: &str| {
            check_federated(std::slice::from_ref(&credential), issuer, subject, &[audience.to_owned()])
        };
        let claim = |result| match result {
            Err(Error::SignIn(SignInError::Assertion(AssertionError::Unmatched { claim, .. }))) => claim,
            _ => "",
        };
        assert!(check("https://issuer", "repo:x", EXCHANGE_AUDIENCE).is_ok());
        assert!(check("https://issuer", "repo:x", EXCHANGE_APP_ID).is_ok());
        assert_eq!(claim(check("https://issuer/", "repo:x", EXCHANGE_AUDIENCE)), "issuer");
        assert_eq!(claim(check("https://issuer", "repo:X", EXCHANGE_AUDIENCE)), "subject");
        assert_eq!(claim(check("https://issuer", "repo:x", "other")), "audience");
    }
}
