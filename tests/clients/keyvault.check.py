"""Checks what a Key Vault signed and wrapped, with no code of Azure's or ours: reads lines of JSON whose values are
base64url, and prints how many held up. A private key in PEM, as argument, opens what was wrapped for it."""
import base64
import json
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(raw(text), "big")


CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
private = None
if len(sys.argv) > 1:
    with open(sys.argv[1], "rb") as file:
        private = serialization.load_pem_private_key(file.read(), None)
held = 0
for line in sys.stdin:
    if not line.startswith("{"):
        continue
    item = json.loads(line)
    if "wrapped" in item:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        assert private.decrypt(raw(item["wrapped"]), oaep) == raw(item["secret"]), item
    elif "crv" in item:
        key = ec.EllipticCurvePublicNumbers(number(item["x"]), number(item["y"]), CURVES[item["crv"]]).public_key()
        signature, digest = raw(item["signature"]), raw(item["digest"])
        half = len(signature) // 2
        der = utils.encode_dss_signature(
            int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        hash_ = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}[len(digest)]
        key.verify(der, digest, ec.ECDSA(utils.Prehashed(hash_)))
    else:
        key = rsa.RSAPublicNumbers(number(item["e"]), number(item["n"])).public_key()
        pss = item["alg"].startswith("PS")
        pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
        key.verify(raw(item["signature"]), raw(item["digest"]), pad, utils.Prehashed(hashes.SHA256()))
    held += 1
print(held)
