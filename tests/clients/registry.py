"""Microsoft's registry client for Python, unmodified, against a registry that holds app:v1 and app:v2."""
import io
import os
import sys

from azure.containerregistry import ArtifactManifestOrder, ArtifactTagOrder, ContainerRegistryClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential

credential = ClientSecretCredential(os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"],
                                    os.environ["AZURE_CLIENT_SECRET"])
client = ContainerRegistryClient(sys.argv[1], credential)

assert list(client.list_repository_names()) == ["app"]
shown = client.get_repository_properties("app")
assert (shown.name, shown.tag_count, shown.manifest_count) == ("app", 2, 1), shown
tags = list(client.list_tag_properties("app", order_by=ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING))
assert [t.name for t in tags] == ["v2", "v1"], tags
assert [t.name for t in client.list_tag_properties("app", results_per_page=1)] == ["v1", "v2"]
manifests = list(client.list_manifest_properties("app", order_by=ArtifactManifestOrder.LAST_UPDATED_ON_ASCENDING))
assert len(manifests) == 1 and sorted(manifests[0].tags) == ["v1", "v2"], manifests

# Locks.
client.update_tag_properties("app", "v1", can_delete=False)
try:
    client.delete_tag("app", "v1")
    raise SystemExit("a locked tag was deleted")
except HttpResponseError as refusal:
    assert refusal.status_code == 405, refusal
client.update_tag_properties("app", "v1", can_delete=True)
client.delete_tag("app", "v1")
try:
    client.get_tag_properties("app", "v1")
    raise SystemExit("a deleted tag is there")
except ResourceNotFoundError:
    pass

# Content: blobs in chunks, a manifest, and back.
layer = os.urandom(5_000_000)
digest, size = client.upload_blob("made", io.BytesIO(layer))
assert size == len(layer)
config, config_size = client.upload_blob("made", io.BytesIO(b"{}"))
manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}]}
name = client.set_manifest("made", manifest, tag="v1")
got = client.get_manifest("made", "v1")
assert got.digest == name and got.manifest == manifest, got
assert b"".join(client.download_blob("made", digest)) == layer
client.delete_blob("made", digest)
client.delete_manifest("made", name)

client.delete_repository("app")
client.delete_repository("made")
assert list(client.list_repository_names()) == []
