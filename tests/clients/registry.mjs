// Microsoft's registry client for JavaScript, unmodified, against a registry that holds app:v1 and app:v2.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ContainerRegistryClient, ContainerRegistryContentClient } from "@azure/container-registry";
import { ClientSecretCredential } from "@azure/identity";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env;
const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET);
const client = new ContainerRegistryClient(process.argv[2], credential);
const all = async (list) => {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
};

assert.deepEqual(await all(client.listRepositoryNames()), ["app"]);
const repository = client.getRepository("app");
assert.equal((await repository.getProperties()).tagCount, 2);
const [manifest] = await all(repository.listManifestProperties());
const artifact = repository.getArtifact(manifest.digest);
assert.deepEqual((await all(artifact.listTagProperties())).map((tag) => tag.name), ["v1", "v2"]);
await artifact.updateManifestProperties({ canDelete: false });
await assert.rejects(artifact.delete(), { statusCode: 405 });
await artifact.updateManifestProperties({ canDelete: true });

const content = new ContainerRegistryContentClient(process.argv[2], "made", credential);
const layer = randomBytes(5_000_000);
const { digest, sizeInBytes } = await content.uploadBlob(layer);
assert.equal(sizeInBytes, layer.length);
const config = await content.uploadBlob(Buffer.from("{}"));
const made = {
  schemaVersion: 2,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config.digest, size: config.sizeInBytes },
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: sizeInBytes }],
};
const set = await content.setManifest(made, { tag: "v1" });
assert.equal((await content.getManifest("v1")).digest, set.digest);
const parts = [];
for await (const part of (await content.downloadBlob(digest)).content) parts.push(part);
assert.ok(Buffer.concat(parts).equals(layer));
await content.deleteManifest(set.digest);

await client.deleteRepository("app");
await client.deleteRepository("made");
assert.deepEqual(await all(client.listRepositoryNames()), []);
