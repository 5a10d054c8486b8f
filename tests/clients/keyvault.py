"""Microsoft's Key Vault client for Python, unmodified, against one vault; an independent library checks what
the server signed and wrapped. The credential is written out here, since az brings no azure-identity."""
import hashlib
import os
import sys
import time

import requests
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.keyvault.keys import KeyClient, KeyCurveName
from azure.keyvault.keys.crypto import CryptographyClient, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


class Secret:
    def get_token_info(self, *scopes, options=None):
        tenant = os.environ["AZURE_TENANT_ID"]
        form = {"grant_type": "client_credentials", "client_id": os.environ["AZURE_CLIENT_ID"],
                "client_secret": os.environ["AZURE_CLIENT_SECRET"], "scope": scopes[0]}
        answer = requests.post(f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token", data=form)
        answer.raise_for_status()
        body = answer.json()
        return AccessTokenInfo(body["access_token"], int(time.time()) + body["expires_in"])

    def get_token(self, *scopes, **_):
        info = self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)


def number(data):
    return int.from_bytes(data, "big")


credential = Secret()
url = f"https://{sys.argv[1]}.vault.azure.net"
client = KeyClient(url, credential)

rsa_key = client.create_rsa_key("py-rsa", size=2048)
public = rsa.RSAPublicNumbers(number(rsa_key.key.e), number(rsa_key.key.n)).public_key()
# Through the identifier: the client asks the server for private operations.
crypto = CryptographyClient(rsa_key.id, credential)
digest = hashlib.sha256(b"text").digest()
prehashed = utils.Prehashed(hashes.SHA256())
signature = crypto.sign(SignatureAlgorithm.rs256, digest).signature
public.verify(signature, digest, padding.PKCS1v15(), prehashed)
signature = crypto.sign(SignatureAlgorithm.ps256, digest).signature
public.verify(signature, digest, padding.PSS(padding.MGF1(hashes.SHA256()), 32), prehashed)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
secret = os.urandom(32)
assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, public.encrypt(secret, oaep)).key == secret

for curve, algorithm, group, hash_ in [
    (KeyCurveName.p_256, SignatureAlgorithm.es256, ec.SECP256R1(), hashes.SHA256()),
    (KeyCurveName.p_256_k, SignatureAlgorithm.es256_k, ec.SECP256K1(), hashes.SHA256()),
    (KeyCurveName.p_384, SignatureAlgorithm.es384, ec.SECP384R1(), hashes.SHA384()),
    (KeyCurveName.p_521, SignatureAlgorithm.es512, ec.SECP521R1(), hashes.SHA512()),
]:
    key = client.create_ec_key(f"py-{curve.value}", curve=curve)
    digest = hashlib.new(hash_.name, b"text").digest()
    raw = CryptographyClient(key.id, credential).sign(algorithm, digest).signature
    half = len(raw) // 2
    der = utils.encode_dss_signature(number(raw[:half]), number(raw[half:]))
    point = ec.EllipticCurvePublicNumbers(number(key.key.x), number(key.key.y), group).public_key()
    point.verify(der, digest, ec.ECDSA(utils.Prehashed(hash_)))

for i in range(30):
    client.create_ec_key(f"py-page-{i:02}", curve=KeyCurveName.p_256)
names = [k.name for k in client.list_properties_of_keys() if k.name.startswith("py-page-")]
assert names == [f"py-page-{i:02}" for i in range(30)], names

client.begin_delete_key("py-rsa").result()
client.begin_recover_deleted_key("py-rsa").result()
secrets = SecretClient(url, credential)
secrets.set_secret("py-secret", "value")
assert secrets.get_secret("py-secret").value == "value"
secrets.begin_delete_secret("py-secret").result()
secrets.purge_deleted_secret("py-secret")
print("python: signatures, unwrap, 30 keys in pages, deletion and recovery hold")
