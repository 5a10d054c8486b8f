//! A profile folder in which az is already signed in as the developer principal.
//! Owns the shape of az's own files; must not know what else points at the emulator.

use std::path::Path;

use serde_json::json;
use uuid::Uuid;

use crate::cli::failure::Failure;
use crate::cli::files::{self, PRIVATE};
use crate::domain::world::well_known::{
    DEVELOPER_CLIENT_ID, DEVELOPER_SECRET, SUBSCRIPTION_ID, SUBSCRIPTION_NAME, TENANT_ID,
};

/// No telemetry, no surveys, no upgrades, no extension downloads; and the credentials in readable form, so that
/// no keyring of the desktop is asked.
const CONFIG: &str = "\
[cloud]
name = AzureCloud
[core]
collect_telemetry = no
encrypt_token_cache = no
error_recommendation = off
first_run = yes
login_experience_v2 = off
survey_message = no
[auto-upgrade]
enable = no
[extension]
use_dynamic_install = no
[clients]
show_secrets_warning = no
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
        "client_id": DEVELOPER_CLIENT_ID,
        "tenant": TENANT_ID,
        "client_secret": DEVELOPER_SECRET,
    }]);
    let profile = json!({
        "installationId": Uuid::new_v4(),
        "subscriptions": [{
            "id": SUBSCRIPTION_ID,
            "name": SUBSCRIPTION_NAME,
            "state": "Enabled",
            "user": { "name": DEVELOPER_CLIENT_ID, "type": "servicePrincipal" },
            "isDefault": true,
            "tenantId": TENANT_ID,
            "homeTenantId": TENANT_ID,
            "environmentName": "AzureCloud",
            "managedByTenants": [],
        }],
    });
    files::write(&folder.join("config"), CONFIG.as_bytes(), PRIVATE)?;
    files::write(&folder.join("service_principal_entries.json"), credentials.to_string().as_bytes(), PRIVATE)?;
    // Last: its presence says that the others are complete.
    files::write(&folder.join("azureProfile.json"), profile.to_string().as_bytes(), PRIVATE)
}
