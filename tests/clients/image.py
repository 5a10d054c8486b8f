"""OCI images for the suites, made from nothing but random bytes.

image.py make DIR [--marker TEXT] [--size BYTES]   an OCI layout with one image, named `image`:
                                                   two layers that are plain tar files, a config, annotations
image.py same DIR DIR                              are the two the same, byte for byte?
"""

import argparse
import hashlib
import io
import json
import os
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def make(folder, marker, size):
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs, exist_ok=True)

    def store(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(content)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    layers = [
        store(tar({"data": os.urandom(size), "marker": f"{marker}-in-the-layer".encode()}), LAYER),
        store(tar({"second": os.urandom(1000)}), LAYER),
    ]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"marker": f"{marker}-in-the-config"}},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": store(json.dumps(config).encode(), CONFIG),
        "layers": layers,
        "annotations": {"org.opencontainers.image.title": f"{marker}-in-the-manifest"},
    }
    entry = store(json.dumps(manifest).encode(), MANIFEST)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "image"}
    for name, content in (
        ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
        ("index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}),
    ):
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)


def content(folder):
    """Every byte of the image, by digest, each checked against the digest that names it."""
    with open(os.path.join(folder, "index.json")) as file:
        (entry,) = json.load(file)["manifests"]
    found = {}

    def load(digest):
        with open(os.path.join(folder, "blobs", *digest.split(":")), "rb") as file:
            found[digest] = file.read()
        if hashlib.sha256(found[digest]).hexdigest() != digest.split(":")[1]:
            sys.exit(f"{folder}: {digest} has other bytes than its digest says")
        return found[digest]

    manifest = json.loads(load(entry["digest"]))
    for blob in [manifest["config"], *manifest["layers"]]:
        load(blob["digest"])
    return entry["digest"], found


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("make")
    command.add_argument("folder")
    command.add_argument("--marker", default="no-marker")
    command.add_argument("--size", type=int, default=300_000)
    command = commands.add_parser("same")
    command.add_argument("one")
    command.add_argument("other")
    args = parser.parse_args()
    if args.command == "make":
        make(args.folder, args.marker, args.size)
    elif content(args.one) != content(args.other):
        sys.exit(f"{args.one} and {args.other} differ")


main()
