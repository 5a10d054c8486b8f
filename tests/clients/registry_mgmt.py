"""Microsoft's resource-management client of registries for Python, with nothing set but its ordinary credential.

Two registries, one with a customer-managed key, and all their children: made, read, listed, changed, taken away. Every
document that was got is put again as it came, and must come back the same.
"""

import json
import os
import urllib.request
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.containerregistry import ContainerRegistryManagementClient
from azure.mgmt.containerregistry.models import (
    AuthCredential,
    CacheRule,
    CacheRuleProperties,
    CredentialSet,
    CredentialSetProperties,
    EncryptionProperty,
    GenerateCredentialsParameters,
    IdentityProperties,
    KeyVaultProperties,
    Policies,
    RegenerateCredentialParameters,
    Registry,
    RegistryNameCheckRequest,
    RegistryProperties,
    RegistryPropertiesUpdateParameters,
    RegistryUpdateParameters,
    Replication,
    ReplicationProperties,
    ReplicationUpdateParameters,
    ReplicationUpdateParametersProperties,
    RetentionPolicy,
    ScopeMap,
    ScopeMapProperties,
    ScopeMapPropertiesUpdateParameters,
    ScopeMapUpdateParameters,
    Sku,
    Token,
    TokenProperties,
    TokenUpdateParameters,
    TokenUpdateProperties,
    UserIdentityProperties,
    WebhookCreateParameters,
    WebhookPropertiesCreateParameters,
    WebhookPropertiesUpdateParameters,
    WebhookUpdateParameters,
)

GROUP, NAME, CMK = "rg-mgmt", "mgmtreg01", "mgmtcmk01"
subscription = os.environ["AZURE_SUBSCRIPTION_ID"]
client = ContainerRegistryManagementClient(DefaultAzureCredential(), subscription)
group_id = f"/subscriptions/{subscription}/resourceGroups/{GROUP}"


def send(method, path, body=None, version="2025-11-01"):
    """A call by the client's own pipeline; its answer, if it has one."""
    request = HttpRequest(method, f"https://management.azure.com{path}?api-version={version}", json=body)
    response = client.send_request(request)
    response.raise_for_status()
    return response.json() if response.content else None


def lasting(document):
    """A document less what a write is meant to change."""
    kept = json.loads(json.dumps(document))
    kept.get("systemData", {}).pop("lastModifiedAt", None)
    if isinstance(kept["properties"].get("status"), dict):
        del kept["properties"]["status"]["timestamp"]  # of replications: when they were written
    return kept


rounds = 0


def put_again(path):
    """Puts what GET gives: the answer and what GET gives then must be the same."""
    global rounds
    first = send("GET", path)
    answer = send("PUT", path, first)
    answer["properties"]["provisioningState"] = "Succeeded"  # Updating, where the write is a long one
    if "status" in first["properties"] and isinstance(first["properties"]["status"], dict):
        answer["properties"]["status"] = first["properties"]["status"]
    then = send("GET", path)
    assert lasting(then) == lasting(first), f"{path}\n{json.dumps(first)}\n{json.dumps(then)}"
    assert lasting(answer) == lasting(first), f"{path}\n{json.dumps(first)}\n{json.dumps(answer)}"
    rounds += 1


def refused(code, call):
    """The call must fail with Azure's code."""
    try:
        call()
    except HttpResponseError as error:
        assert error.error and error.error.code == code, f"{code}: {error}"
        return
    raise SystemExit(f"not refused: {code}")


# --- what registries need, which other clients make ------------------------------------------------------------------
send("PUT", group_id, {"location": "eastus"})
identity_id = f"{group_id}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1"
identity = send("PUT", identity_id, {"location": "eastus"}, "2023-01-31")["properties"]
policy = {"tenantId": identity["tenantId"], "objectId": identity["principalId"]}
policy["permissions"] = {"keys": ["get", "wrapKey", "unwrapKey"]}
vault = {"tenantId": identity["tenantId"], "sku": {"family": "A", "name": "standard"}, "accessPolicies": [policy]}
vault_id = f"{group_id}/providers/Microsoft.KeyVault/vaults/mgmtvault01"
send("PUT", vault_id, {"location": "eastus", "properties": vault}, "2023-07-01")
key = send("PUT", f"{vault_id}/keys/key", {"properties": {"kty": "RSA"}}, "2023-07-01")["properties"]
key_id = key["keyUri"].replace(":443/", "/")

# --- registries ------------------------------------------------------------------------------------------------------
wanted = RegistryNameCheckRequest(name=NAME, type="Microsoft.ContainerRegistry/registries")
assert client.registries.check_name_availability(wanted).name_available
asked = Registry(
    location="eastus",
    sku=Sku(name="Premium"),
    tags={"team": "a"},
    properties=RegistryProperties(
        admin_user_enabled=True,
        anonymous_pull_enabled=True,
        data_endpoint_enabled=True,
        zone_redundancy="Enabled",
        network_rule_bypass_options="None",
        network_rule_bypass_allowed_for_tasks=True,
        role_assignment_mode="AbacRepositoryPermissions",
        policies=Policies(retention_policy=RetentionPolicy(days=3, status="enabled")),
    ),
)
made = client.registries.begin_create(GROUP, NAME, asked).result()
got = client.registries.get(GROUP, NAME)
assert made.as_dict() == got.as_dict()
assert got.sku.tier == "Premium" and got.tags == {"team": "a"} and got.properties.provisioning_state == "Succeeded"
sent, back = asked.properties.as_dict(), got.properties.as_dict()
for name in sent.keys() - {"policies"}:
    assert back[name] == sent[name], f"{name}: {back[name]}"
assert got.properties.policies.retention_policy.days == 3
assert got.properties.data_endpoint_host_names == [f"{NAME}.eastus.data.azurecr.io"]
assert not client.registries.check_name_availability(wanted).name_available

refused(
    "SkuNotSupported",
    lambda: client.registries.begin_create(
        GROUP,
        "mgmtbasic01",
        Registry(
            location="eastus",
            sku=Sku(name="Basic"),
            identity=IdentityProperties(
                type="UserAssigned", user_assigned_identities={identity_id: UserIdentityProperties()}
            ),
            properties=RegistryProperties(
                encryption=EncryptionProperty(
                    status="enabled",
                    key_vault_properties=KeyVaultProperties(key_identifier=key_id, identity=identity["clientId"]),
                )
            ),
        ),
    ),
)
encrypted = Registry(
    location="westus",
    sku=Sku(name="Premium"),
    identity=IdentityProperties(type="UserAssigned", user_assigned_identities={identity_id: UserIdentityProperties()}),
    properties=RegistryProperties(
        encryption=EncryptionProperty(
            status="enabled",
            key_vault_properties=KeyVaultProperties(key_identifier=key_id, identity=identity["clientId"]),
        )
    ),
)
shown = client.registries.begin_create(GROUP, CMK, encrypted).result()
protection = shown.properties.encryption.key_vault_properties
assert shown.properties.encryption.status == "enabled" and protection.key_rotation_enabled
assert protection.key_identifier == key_id and protection.identity == identity["clientId"]
assert protection.versioned_key_identifier == key["keyUriWithVersion"].replace(":443/", "/")
assert [i.client_id for i in shown.identity.user_assigned_identities.values()] == [identity["clientId"]]
assert sorted(r.name for r in client.registries.list_by_resource_group(GROUP)) == [CMK, NAME]
assert sorted(r.name for r in client.registries.list()) == [CMK, NAME]

change = RegistryPropertiesUpdateParameters(anonymous_pull_enabled=False, role_assignment_mode="LegacyRegistryPermissions")
changed = client.registries.begin_update(
    GROUP, NAME, RegistryUpdateParameters(tags={"team": "b"}, properties=change)
).result()
assert changed.tags == {"team": "b"} and changed.properties.admin_user_enabled
assert changed.properties.role_assignment_mode == "LegacyRegistryPermissions"

usages = {u.name: u.current_value for u in client.registries.list_usages(GROUP, NAME).value}
assert set(usages.values()) == {0} and {"Size", "Webhooks", "ScopeMaps", "Tokens"} <= usages.keys(), usages
passwords = {p.name: p.value for p in client.registries.list_credentials(GROUP, NAME).passwords}
anew = client.registries.regenerate_credential(GROUP, NAME, RegenerateCredentialParameters(name="password2"))
anew = {p.name: p.value for p in anew.passwords}
assert anew["password"] == passwords["password"] and anew["password2"] != passwords["password2"]
links = [r.properties.group_id for r in client.registries.list_private_link_resources(GROUP, NAME)]
assert links == ["registry"], links
assert list(client.private_endpoint_connections.list(GROUP, NAME)) == []

# --- scope maps and tokens -------------------------------------------------------------------------------------------
actions = ["repositories/app/content/read", "repositories/app/metadata/read"]
scope_map = client.scope_maps.begin_create(
    GROUP, NAME, "readers", ScopeMap(properties=ScopeMapProperties(description="may read", actions=actions))
).result()
assert scope_map.properties.type == "UserDefined" and scope_map.properties.actions == actions
client.scope_maps.begin_update(
    GROUP,
    NAME,
    "readers",
    ScopeMapUpdateParameters(properties=ScopeMapPropertiesUpdateParameters(description="may only read")),
).result()
assert client.scope_maps.get(GROUP, NAME, "readers").properties.description == "may only read"
assert client.scope_maps.get(GROUP, NAME, "readers").properties.actions == actions
assert {"readers", "_repositories_admin", "_repositories_pull", "_repositories_push"} <= {
    m.name for m in client.scope_maps.list(GROUP, NAME)
}
token = client.tokens.begin_create(
    GROUP, NAME, "robot", Token(properties=TokenProperties(scope_map_id=scope_map.id, status="enabled"))
).result()
expiry = datetime.now(timezone.utc) + timedelta(days=30)
credentials = client.registries.begin_generate_credentials(
    GROUP, NAME, GenerateCredentialsParameters(token_id=token.id, name="password1", expiry=expiry)
).result()
assert credentials.username == "robot"
secret = {p.name: p.value for p in credentials.passwords}["password1"]
listed = client.tokens.get(GROUP, NAME, "robot").properties.credentials.passwords
assert [p.name for p in listed] == ["password1"] and not listed[0].value, "passwords are told once"
assert abs(listed[0].expiry - expiry) < timedelta(seconds=1), listed[0].expiry


def token_of(password):
    """Whether the registry's login server takes the password of `robot`."""
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    manager.add_password(None, f"https://{NAME}.azurecr.io", "robot", password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    asked = f"https://{NAME}.azurecr.io/oauth2/token?service={NAME}.azurecr.io&scope=repository:app:pull"
    try:
        return opener.open(asked).status == 200
    except urllib.error.HTTPError as error:
        return not (error.code == 401)


assert token_of(secret) and not token_of("wrong")
client.tokens.begin_update(
    GROUP, NAME, "robot", TokenUpdateParameters(properties=TokenUpdateProperties(status="disabled"))
).result()
assert not token_of(secret)
assert [t.name for t in client.tokens.list(GROUP, NAME)] == ["robot"]

# --- webhooks, replications, cache rules, credential sets ------------------------------------------------------------
client.webhooks.begin_create(
    GROUP,
    NAME,
    "hook01",
    WebhookCreateParameters(
        location="eastus",
        tags={"a": "b"},
        properties=WebhookPropertiesCreateParameters(
            service_uri="http://127.0.0.1:9/", actions=["push", "delete"], scope="app:*", status="disabled"
        ),
    ),
).result()
client.webhooks.begin_update(
    GROUP, NAME, "hook01", WebhookUpdateParameters(properties=WebhookPropertiesUpdateParameters(actions=["push"]))
).result()
hook = client.webhooks.get(GROUP, NAME, "hook01")
assert hook.properties.actions == ["push"] and hook.properties.scope == "app:*" and hook.tags == {"a": "b"}
assert client.webhooks.get_callback_config(GROUP, NAME, "hook01").service_uri == "http://127.0.0.1:9/"
assert client.webhooks.ping(GROUP, NAME, "hook01").id
assert [w.name for w in client.webhooks.list(GROUP, NAME)] == ["hook01"]
assert all(e.id for e in client.webhooks.list_events(GROUP, NAME, "hook01"))

client.replications.begin_create(
    GROUP, NAME, "westus", Replication(location="westus", properties=ReplicationProperties(zone_redundancy="Enabled"))
).result()
client.replications.begin_update(
    GROUP,
    NAME,
    "westus",
    ReplicationUpdateParameters(
        tags={"near": "west"}, properties=ReplicationUpdateParametersProperties(region_endpoint_enabled=False)
    ),
).result()
replica = client.replications.get(GROUP, NAME, "westus")
assert replica.properties.status.display_status == "Ready" and not replica.properties.region_endpoint_enabled
assert replica.properties.zone_redundancy == "Enabled" and replica.tags == {"near": "west"}
assert sorted(r.name for r in client.replications.list(GROUP, NAME)) == ["eastus", "westus"]

secret_id = "https://mgmtvault01.vault.azure.net/secrets/"
login = AuthCredential(
    name="Credential1",
    username_secret_identifier=f"{secret_id}user",
    password_secret_identifier=f"{secret_id}password",
)
client.credential_sets.begin_create(
    GROUP,
    NAME,
    "set01",
    CredentialSet(
        identity=IdentityProperties(type="SystemAssigned"),
        properties=CredentialSetProperties(login_server="docker.io", auth_credentials=[login]),
    ),
).result()
credential_set = client.credential_sets.get(GROUP, NAME, "set01")
assert credential_set.identity.principal_id and credential_set.properties.login_server == "docker.io"
assert credential_set.properties.auth_credentials[0].username_secret_identifier == f"{secret_id}user"
client.cache_rules.begin_create(
    GROUP,
    NAME,
    "rule01",
    CacheRule(
        properties=CacheRuleProperties(
            source_repository="docker.io/library/ubuntu",
            target_repository="ubuntu",
            credential_set_resource_id=credential_set.id,
        )
    ),
).result()
rule = client.cache_rules.get(GROUP, NAME, "rule01").properties
assert (rule.source_repository, rule.target_repository) == ("docker.io/library/ubuntu", "ubuntu")
assert [r.name for r in client.cache_rules.list(GROUP, NAME)] == ["rule01"]
assert [s.name for s in client.credential_sets.list(GROUP, NAME)] == ["set01"]

# --- what GET gave, put again ----------------------------------------------------------------------------------------
registries = f"{group_id}/providers/Microsoft.ContainerRegistry/registries"
for path in [NAME, CMK]:
    put_again(f"{registries}/{path}")
children = ["scopeMaps/readers", "tokens/robot", "replications/westus", "credentialSets/set01", "cacheRules/rule01"]
for path in children:
    put_again(f"{registries}/{NAME}/{path}")
# A webhook's GET keeps its URI to itself, so what is put again has to say it.
before = send("GET", f"{registries}/{NAME}/webhooks/hook01")
again = {**before, "properties": {**before["properties"], "serviceUri": "http://127.0.0.1:9/"}}
send("PUT", f"{registries}/{NAME}/webhooks/hook01", again)
assert lasting(send("GET", f"{registries}/{NAME}/webhooks/hook01")) == lasting(before)

usages = {u.name: u.current_value for u in client.registries.list_usages(GROUP, NAME).value}
counted = {name: usages[name] for name in ["Webhooks", "Geo-replications", "ScopeMaps", "Tokens"]}
assert set(counted.values()) == {1}, counted

# --- the end ---------------------------------------------------------------------------------------------------------
client.cache_rules.begin_delete(GROUP, NAME, "rule01").result()
client.credential_sets.begin_delete(GROUP, NAME, "set01").result()
client.replications.begin_delete(GROUP, NAME, "westus").result()
client.webhooks.begin_delete(GROUP, NAME, "hook01").result()
client.tokens.begin_delete(GROUP, NAME, "robot").result()
client.scope_maps.begin_delete(GROUP, NAME, "readers").result()
for name in [NAME, CMK]:
    client.registries.begin_delete(GROUP, name).result()
    try:
        client.registries.get(GROUP, name)
        raise SystemExit(f"{name} is still there")
    except ResourceNotFoundError:
        pass
assert list(client.registries.list()) == []
print(f"done: {rounds} documents put again")
