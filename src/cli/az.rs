//! A profile folder in which az is already signed in as the developer principal.
//! Owns the shape of az's own files; must not know what else points at the emulator.

use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use super::Failure;
use super::files::{self, PRIVATE};
use super::instance::WELL_KNOWN;

/// No telemetry, no surveys, no upgrades, no extension downloads; and the credentials in readable form, so that
/// no keyring of the desktop is asked.
const CONFIG: &str = "\
[core]
collect_telemetry = no
encrypt_token_cache = false
first_run = yes
survey_message = false
[auto-upgrade]
enable = no
[extension]
use_dynamic_install = no
[logging]
enable_log_file = no
";

/// Makes the profile, unless one is there: the user may have signed in as somebody else since.
pub(super) fn sign_in(folder: &Path) -> Result<(), Failure> {
    if folder.join("azureProfile.json").exists() {
        return Ok(());
    }
    files::make_private_folder(folder)?;
    let credentials = json!([{
        "client_id": WELL_KNOWN.client_id,
        "tenant": WELL_KNOWN.tenant_id,
        "client_secret": WELL_KNOWN.client_secret,
    }]);
    let profile = json!({
        "installationId": Uuid::new_v4(),
        "subscriptions": [{
            "id": WELL_KNOWN.subscription_id,
            "name": WELL_KNOWN.subscription_name,
            "state": "Enabled",
            "user": { "name": WELL_KNOWN.client_id, "type": "servicePrincipal" },
            "isDefault": true,
            "tenantId": WELL_KNOWN.tenant_id,
            "homeTenantId": WELL_KNOWN.tenant_id,
            "environmentName": "AzureCloud",
            "managedByTenants": [],
        }],
    });
    files::write(&folder.join("config"), CONFIG.as_bytes(), PRIVATE)?;
    files::write(&folder.join("service_principal_entries.json"), credentials.to_string().as_bytes(), PRIVATE)?;
    // Last: its presence says that the others are complete.
    files::write(&folder.join("azureProfile.json"), profile.to_string().as_bytes(), PRIVATE)
}
