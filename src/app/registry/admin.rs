//! The admin user of a registry and its two passwords.
//! Must not know: HTTP, what they open.

use rand::distr::{Alphanumeric, SampleString as _};

use crate::app::Cx;
use crate::domain::error::RequestError;
use crate::domain::registry::Registry;
use crate::domain::world::crypto;
use crate::domain::{Error, Result};
use crate::store;

/// Characters of an admin password [recorded].
const PASSWORD_LENGTH: usize = 52;
/// The names of the admin user's passwords [recorded].
pub const PASSWORDS: [&str; 2] = ["password", "password2"];

/// The context under which an admin password is sealed.
fn context(registry: &Registry, name: &str) -> String {
    format!("admin {name} of registry {}", registry.id)
}

fn open(cx: &Cx, registry: &Registry, name: &str, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    crypto::open(&cx.app.master, context(registry, name).as_bytes(), sealed)
}

/// Whether a password is one of the admin user's, and there is an admin user.
pub(super) async fn accepts(cx: &mut Cx, registry: &Registry, password: &str) -> Result<bool> {
    if !registry.settings().admin_user() {
        return Ok(false);
    }
    for name in PASSWORDS {
        if let Some(sealed) = store::registry::admin::password(&mut cx.tx, registry.id, name).await?
            && crypto::same_secret(&open(cx, registry, name, &sealed)?, password.as_bytes())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn make(cx: &mut Cx, registry: &Registry, name: &str) -> Result<String> {
    let password = Alphanumeric.sample_string(&mut cx.rng(), PASSWORD_LENGTH);
    let context = context(registry, name);
    let sealed = crypto::seal(&cx.app.master, context.as_bytes(), password.as_bytes(), &mut cx.rng())?;
    store::registry::admin::set_password(&mut cx.tx, registry.id, name, &sealed).await?;
    Ok(password)
}

/// The admin user's passwords by name; made when they are first asked for. Wants a context that may write.
pub async fn credentials(cx: &mut Cx, registry: &Registry) -> Result<Vec<(&'static str, String)>> {
    let mut passwords = Vec::new();
    for name in PASSWORDS {
        let password = match store::registry::admin::password(&mut cx.tx, registry.id, name).await? {
            Some(sealed) => {
                let opened = open(cx, registry, name, &sealed)?;
                String::from_utf8(opened.to_vec()).map_err(Error::internal)?
            }
            None => make(cx, registry, name).await?,
        };
        passwords.push((name, password));
    }
    Ok(passwords)
}

/// Makes one of the admin user's passwords anew: `password` or `password2`.
pub async fn regenerate(cx: &mut Cx, registry: &Registry, name: &str) -> Result<Vec<(&'static str, String)>> {
    let known = PASSWORDS.into_iter().find(|n| n.eq_ignore_ascii_case(name));
    let known = known.ok_or_else(|| RequestError::InvalidValue {
        property: "name".to_owned(),
        message: format!("'{name}' is not the name of a password; it is 'password' or 'password2'"),
    })?;
    make(cx, registry, known).await?;
    credentials(cx, registry).await
}
