//! Every refusal in Azure's words.
//! Must not know: how any of it is kept.

use serde_json::{Value, json};

use crate::http::keyvault::dialect;

/// Every refusal of the reference's table is said in exactly its words.
#[test]
fn every_known_refusal_has_azures_words() {
    use crate::domain::access::Caller;
    use crate::domain::error::{AccessError, Error, KeyError, RequestError, TokenError, VaultPlace};
    use crate::domain::vault::kind::ObjectKind as Kind;
    let caller = Caller {
        app_id: "{appid}".into(),
        object_id: "{oid}".into(),
        tenant: "{tid}".into(),
        groups: vec![String::new(); 2],
        ..Caller::system()
    };
    let vault = VaultPlace { name: "{vault}".into(), location: "{region}".into() };
    let name = || "{name}".to_owned();
    let firewall = |bypass_none| AccessError::Firewall { caller: caller.clone(), bypass_none, vault: vault.clone() };
    let public = |bypass_none| AccessError::PublicNetwork { caller: caller.clone(), bypass_none, vault: vault.clone() };
    let skr = |text: &str| KeyError::BadParameter(text.to_owned()).into();
    let refusals: Vec<Error> = vec![
        TokenError::Missing.into(),
        TokenError::Audience { expected: "https://vault.azure.net".into(), found: "{aud}".into() }.into(),
        TokenError::Issuer {
            expected: "https://sts.windows.net/{vaultTenant}/".into(),
            found: "https://sts.windows.net/{tokenTenant}/".into(),
        }
        .into(),
        TokenError::Expired.into(),
        KeyError::NotFound(Kind::Key, name()).into(),
        KeyError::DeletedNotFound(Kind::Key, name()).into(),
        KeyError::DeletedButRecoverable(Kind::Key, name()).into(),
        AccessError::Policy { caller: caller.clone(), kind: "keys", permission: "{perm}", vault: vault.clone() }.into(),
        AccessError::Role {
            caller: caller.clone(),
            action: "{dataAction}".into(),
            resource:
                "/subscriptions/{sub}/resourcegroups/{rg}/providers/microsoft.keyvault/vaults/{vault}[/keys/{name}]"
                    .into(),
            vault: vault.clone(),
        }
        .into(),
        firewall(false).into(),
        firewall(true).into(),
        public(false).into(),
        public(true).into(),
        KeyError::Disabled(Kind::Key, "{op}").into(),
        KeyError::OperationForbidden("{op}").into(),
        KeyError::Disabled(Kind::Secret, "get").into(),
        KeyError::PurgeProtected(vault.clone()).into(),
        RequestError::Malformed(String::new()).into(),
        skr("AKV.SKR.1004: Exportable keys must have release policy."),
        skr("AKV.SKR.1005: Non-exportable keys must not have release policy."),
        skr("AKV.SKR.1020: Immutable Key Release Policy cannot be modified."),
    ];
    // Never said here: deletion and recovery are immediate, nothing is certificate-backed, nothing throttled.
    let never = ["ObjectIsBeingDeleted", "while recovering", "KeyManagedByKeyVault", "Throttled"];
    let said: Vec<(u16, Value)> = refusals
        .iter()
        .map(|e| {
            let said = dialect::say(e);
            (said.status.as_u16(), said.body()["error"].clone())
        })
        .collect();
    let table: Vec<Value> = serde_json::from_str(include_str!("../../../../fixtures/keyvault/errors.json")).unwrap();
    for row in &table {
        if never.iter().any(|n| row.to_string().contains(n)) {
            continue;
        }
        let ip = caller.address.to_string();
        let message = row["message"].as_str().unwrap().to_owned() + row["suffix"].as_str().unwrap_or_default();
        let message = message.replace("{ip}", &ip).replace("numgroups={n}", "numgroups=2");
        let mut error = json!({"code": row["code"], "message": message});
        if row["innererror"].is_string() {
            error["innererror"] = json!({"code": row["innererror"]});
        }
        let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
        assert!(said.contains(&(status, error.clone())), "not said: {status} {error}");
    }
}
