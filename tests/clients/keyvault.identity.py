"""Microsoft's Key Vault clients for Python with every kind of credential that azure-identity has for machines, each
unmodified and with its challenge check on. What it prints is for keyvault.check.py."""
import base64
import hashlib
import json
import os
import sys

import requests
from azure.core.exceptions import HttpResponseError
from azure.identity import (ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential,
                            WorkloadIdentityCredential)
from azure.keyvault.keys import KeyClient, KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient

url, work = sys.argv[1:]
vault = url.split("//")[1].split(".")[0]
tenant = os.environ["AZURE_TENANT_ID"]
group = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourceGroups/rg-sdk"
credential = ClientSecretCredential(tenant, os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_SECRET"])


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def arm(method, path, body=None):
    token = credential.get_token("https://management.azure.com/.default").token
    answer = requests.request(method, f"https://management.azure.com{path}?api-version=2023-01-31", json=body,
                              headers={"Authorization": f"Bearer {token}"})
    answer.raise_for_status()
    return answer.json() if answer.content else None


def signs(credential, key):
    digest = hashlib.sha256(b"text").digest()
    signature = CryptographyClient(key.id, credential).sign(SignatureAlgorithm.ps256, digest).signature
    print(json.dumps({"alg": "PS256", "n": text(key.key.n), "e": text(key.key.e), "digest": text(digest),
                      "signature": text(signature)}))


keys = KeyClient(url, credential)
key = keys.create_rsa_key("py", size=2048)
signs(credential, key)
signs(DefaultAzureCredential(), key)

# A managed identity, first without a right, then with one.
identity = arm("PUT", f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/sdk", {"location": "eastus"})
client_id, principal = identity["properties"]["clientId"], identity["properties"]["principalId"]
managed = ManagedIdentityCredential(client_id=client_id)
try:
    KeyClient(url, managed).get_key("py")
    raise SystemExit("an identity without a right got in")
except HttpResponseError as refusal:
    assert refusal.status_code == 403 and "does not have keys get permission" in refusal.message, refusal
policy = {"tenantId": tenant, "objectId": principal, "permissions": {"keys": ["get", "sign", "unwrapKey"]}}
arm("PUT", f"{group}/providers/Microsoft.KeyVault/vaults/{vault}/accessPolicies/add",
    {"properties": {"accessPolicies": [policy]}})
signs(managed, key)

# Workload identity: a token file of one identity signs in as another that trusts it.
issuer = arm("PUT", f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/cluster",
             {"location": "eastus"})["properties"]
credentials = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/sdk/federatedIdentityCredentials"
arm("PUT", f"{credentials}/cluster", {"properties": {
    "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0", "subject": issuer["principalId"],
    "audiences": ["api://AzureADTokenExchange"]}})
token_file = os.path.join(work, "token")
with open(token_file, "w", encoding="ascii") as file:
    cluster = ManagedIdentityCredential(client_id=issuer["clientId"])
    file.write(cluster.get_token("api://AzureADTokenExchange/.default").token)
signs(WorkloadIdentityCredential(tenant_id=tenant, client_id=client_id, token_file_path=token_file), key)

# Rotation, versions, deletion, recovery, backup, restore, random bytes, secrets.
rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P30D")
policy = keys.update_key_rotation_policy("py", KeyRotationPolicy(), lifetime_actions=[rotate], expires_in="P90D")
assert policy.expires_in == "P90D" and len(policy.lifetime_actions) == 2, policy
assert keys.get_key_rotation_policy("py").expires_in == "P90D"
rotated = keys.rotate_key("py")
assert rotated.properties.version != key.properties.version
assert len(list(keys.list_properties_of_key_versions("py"))) == 2
updated = keys.update_key_properties("py", tags={"a": "b"}, enabled=True)
assert updated.properties.tags == {"a": "b"}
backup = keys.backup_key("py")
keys.begin_delete_key("py").result()
assert keys.get_deleted_key("py").recovery_id
assert [k.name for k in keys.list_deleted_keys()] == ["py"]
keys.begin_recover_deleted_key("py").result()
keys.begin_delete_key("py").result()
keys.purge_deleted_key("py")
restored = keys.restore_key_backup(backup)
assert restored.properties.version == rotated.properties.version
crypto = CryptographyClient(key.id, credential)
secret = os.urandom(32)
wrapped = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, secret).encrypted_key
assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped).key == secret
secrets = SecretClient(url, credential)
secrets.set_secret("py-secret", "one", content_type="text/plain", tags={"a": "b"})
secrets.set_secret("py-secret", "two")
assert secrets.get_secret("py-secret").value == "two"
assert len(list(secrets.list_properties_of_secret_versions("py-secret"))) == 2
assert [s.name for s in secrets.list_properties_of_secrets()] == ["py-secret"]
assert secrets.update_secret_properties("py-secret", tags={"c": "d"}).tags == {"c": "d"}
saved = secrets.backup_secret("py-secret")
secrets.begin_delete_secret("py-secret").result()
assert secrets.get_deleted_secret("py-secret").recovery_id
assert [s.name for s in secrets.list_deleted_secrets()] == ["py-secret"]
secrets.begin_recover_deleted_secret("py-secret").wait()
secrets.begin_delete_secret("py-secret").result()
secrets.purge_deleted_secret("py-secret")
assert secrets.restore_secret_backup(saved).name == "py-secret"
