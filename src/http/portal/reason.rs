//! Why a registry's data is blocked, in words, which link of its envelope that breaks, and the way to mend it.
//! Must not know: how it is found out; the emulator's status says it.

use maud::{Markup, html};

use super::blade::Target;
use super::labels::{self as l, Label};
use super::visit::{Answer, Visit, segment, subscription};
use crate::app::status::{self, RegistryStatus};
use crate::domain::Error;
use crate::domain::access::Caller;
use crate::domain::error::{AccessError, EncryptionError, KeyError, RegistryError};

/// Which link of the envelope is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Identity,
    Access,
    Network,
    Vault,
    Key,
    Version,
}

/// A link that is broken.
pub(super) struct Broken {
    pub(super) link: Link,
    pub(super) why: Label,
    /// Whether it is still so, in the emulator's own words.
    pub(super) detail: String,
    /// Where to mend it: the address of a page, and what to do there.
    pub(super) mend: (String, Label),
}

/// A registry as the emulator knows it.
pub(super) struct Standing {
    pub(super) status: RegistryStatus,
    pub(super) broken: Option<Broken>,
}

/// How the registry stands. For visitors who were given its document.
pub(super) async fn standing(v: &mut Visit, target: &Target) -> Answer<Standing> {
    let mut cx = v.app.read(Caller::system()).await?;
    let status = status::registry(&mut cx, &target.group, &target.name).await?;
    let vault = match status.registry.cmk.as_ref() {
        Some(cmk) => status::group_of_vault(&mut cx, &cmk.key.vault).await?,
        None => None,
    };
    drop(cx);
    let broken = status.blocked.as_ref().map(|error| broken(&status, vault.as_deref(), target, error));
    Ok(Standing { status, broken })
}

fn broken(status: &RegistryStatus, group: Option<&str>, target: &Target, error: &Error) -> Broken {
    let (vault, key, version) = match status.registry.cmk.as_ref() {
        Some(cmk) => (cmk.key.vault.as_str(), segment(&cmk.key.key), cmk.version.as_str()),
        None => ("", String::new(), ""),
    };
    let vault_id = group.map(|g| {
        format!(
            "{}/resourceGroups/{}/providers/Microsoft.KeyVault/vaults/{}",
            subscription(),
            segment(g),
            segment(vault)
        )
    });
    let at = |blade: &str| match &vault_id {
        Some(id) => super::blade::to(id, blade),
        None => "/portal/deleted-vaults".to_owned(),
    };
    let (link, why, mend) = match error {
        Error::Key(KeyError::Disabled(..)) => {
            (Link::Version, l::WHY_DISABLED, (at(&format!("key/{key}/{version}")), l::MEND_ENABLE))
        }
        Error::Key(KeyError::OperationForbidden(..)) => {
            (Link::Version, l::WHY_OPERATIONS, (at(&format!("key/{key}/{version}")), l::MEND_OPERATIONS))
        }
        Error::Key(_) => (Link::Key, l::WHY_KEY_GONE, (at("keys-deleted"), l::MEND_RECOVER_KEY)),
        Error::Access(access) => match **access {
            AccessError::Policy { .. } => (Link::Access, l::WHY_POLICY, (at("access-policies-add"), l::MEND_POLICY)),
            AccessError::Role { .. } | AccessError::Action { .. } => {
                (Link::Access, l::WHY_ROLE, (at("iam-add"), l::MEND_ROLE))
            }
            AccessError::Firewall { .. } | AccessError::PublicNetwork { .. } => {
                (Link::Network, l::WHY_FIREWALL, (at("networking"), l::MEND_FIREWALL))
            }
        },
        Error::Vault(_) => {
            (Link::Vault, l::WHY_VAULT_GONE, ("/portal/deleted-vaults".to_owned(), l::MEND_RECOVER_VAULT))
        }
        Error::Registry(RegistryError::Encryption(EncryptionError::IdentityExpired { .. })) => {
            (Link::Identity, l::WHY_IDENTITY_EXPIRED, (target.to("encryption-change"), l::MEND_IDENTITY))
        }
        _ => (Link::Identity, l::WHY_IDENTITY_GONE, (target.to("identity"), l::MEND_IDENTITY)),
    };
    Broken { link, why, detail: error.to_string(), mend }
}

/// What stands over the page of a registry that is blocked.
pub(super) fn banner(v: &Visit, standing: &Standing) -> Markup {
    html! {
        @if let Some(broken) = &standing.broken {
            div.blocked role="alert" {
                p { strong { (v.t(l::BLOCKED)) ": " } (v.t(broken.why)) }
                p { (broken.detail) }
                p { (v.t(l::TO_MEND)) ": " a href=(broken.mend.0) { (v.t(broken.mend.1)) } }
            }
        }
    }
}
