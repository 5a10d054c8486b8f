"""oras for Python: files pushed as an artifact, in chunks too, listed, pulled and deleted. Arguments: host, user, password, folder."""
import filecmp
import os
import sys
from pathlib import Path

import oras.client

host, user, password, folder = sys.argv[1:]
os.chdir(folder)
Path("large.bin").write_bytes(os.urandom(3_000_000))

# With its other way to sign in it asks for a token to pull first, and then takes no larger one to push.
client = oras.client.OrasClient(hostname=host, auth_backend="basic")
client.login(username=user, password=password, hostname=host)
files = ["small.txt:text/plain", "large.bin:application/octet-stream"]
for tag, chunked in [("v1", False), ("v2", True)]:
    Path("small.txt").write_text(f"small {tag}\n")  # or both tags would be of one manifest
    target = f"{host}/files/python:{tag}"
    pushed = client.push(target, files=files, do_chunked=chunked, chunk_size=1_000_000)
    assert pushed.status_code == 201, pushed.text
    pulled = client.pull(target, outdir=f"pulled-{tag}")
    assert len(pulled) == 2, pulled
    for name in ["small.txt", "large.bin"]:
        assert filecmp.cmp(name, f"pulled-{tag}/{name}", shallow=False), f"{name} came back with other bytes"
    print("check:", tag)
assert sorted(client.get_tags(f"{host}/files/python")) == ["v1", "v2"]
manifest = client.get_manifest(f"{host}/files/python:v1")
assert [layer["mediaType"] for layer in manifest["layers"]] == ["text/plain", "application/octet-stream"]
client.delete_tag(f"{host}/files/python", "v2")
assert client.get_tags(f"{host}/files/python") == ["v1"]
print("check: tags")
