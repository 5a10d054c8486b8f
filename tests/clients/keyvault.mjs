// Microsoft's Key Vault client for JavaScript, unmodified and with its challenge check on, with the credential that
// DefaultAzureCredential finds in the environment. What it prints is for keyvault.check.py.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";

const [url] = process.argv.slice(2);
const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env;
const text = (bytes) => Buffer.from(bytes).toString("base64url");
const digestOf = (name) => createHash(name).update("text").digest();

const credential = new DefaultAzureCredential();
const client = new KeyClient(url, credential);
const rsa = await client.createRsaKey("js-rsa", { keySize: 2048 });
for (const credential of [new DefaultAzureCredential(),
  new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET)]) {
  for (const alg of ["RS256", "PS256"]) {
    const digest = digestOf("sha256");
    const { result } = await new CryptographyClient(rsa.id, credential).sign(alg, digest);
    console.log(JSON.stringify({ alg, n: text(rsa.key.n), e: text(rsa.key.e), digest: text(digest), signature: text(result) }));
  }
}
for (const [curve, alg, hash] of [["P-256", "ES256", "sha256"], ["P-384", "ES384", "sha384"], ["P-521", "ES512", "sha512"]]) {
  const key = await client.createEcKey(`js-${curve}`, { curve });
  const digest = digestOf(hash);
  const { result } = await new CryptographyClient(key.id, credential).sign(alg, digest);
  console.log(JSON.stringify({ crv: curve, x: text(key.key.x), y: text(key.key.y), digest: text(digest), signature: text(result) }));
}

const crypto = new CryptographyClient(rsa.id, credential);
const secret = randomBytes(32);
const wrapped = await crypto.wrapKey("RSA-OAEP-256", secret);
assert.deepEqual(Buffer.from((await crypto.unwrapKey("RSA-OAEP-256", wrapped.result)).result), secret);

// Without a right: refused in Azure's words.
await assert.rejects(client.getKey("js-none"), (error) => error.code === "KeyNotFound" && error.statusCode === 404);
await assert.rejects(new KeyClient(url, new ManagedIdentityCredential({ clientId: AZURE_CLIENT_ID })).getKey("js-rsa"));

await client.updateKeyRotationPolicy("js-rsa", { lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }], expiresIn: "P90D" });
assert.equal((await client.getKeyRotationPolicy("js-rsa")).lifetimeActions.length, 2);
const rotated = await client.rotateKey("js-rsa");
assert.notEqual(rotated.properties.version, rsa.properties.version);
let versions = 0;
for await (const _ of client.listPropertiesOfKeyVersions("js-rsa")) versions += 1;
assert.equal(versions, 2);
const backup = await client.backupKey("js-rsa");
await (await client.beginDeleteKey("js-rsa")).pollUntilDone();
await (await client.beginRecoverDeletedKey("js-rsa")).pollUntilDone();
await (await client.beginDeleteKey("js-rsa")).pollUntilDone();
await client.purgeDeletedKey("js-rsa");
assert.equal((await client.restoreKeyBackup(backup)).properties.version, rotated.properties.version);
