"""Sends what az once sent to Azure, as recorded, to the emulator, and compares the answers.

    replay.py FOLDER DIFFERENCES     every recording in FOLDER, each in an emulator of its own; fails where the
                                     differences are not the listed ones
    replay.py FOLDER                 the same; prints the differences in the list's form
    replay.py --one FILE             one recording, within `acrite exec`; prints its differences as JSON

An answer differs where its status, a header that clients go by, the set or the type of its fields, or a value
differs. Values that are ids, times or secrets are compared by their form only, wherever they stand.
"""
import base64
import collections
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
import yaml

GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# A key's version stands in identifiers without hyphens.
ID = re.compile(rf"{GUID}|(?<=-)[0-9a-f]{{16}}(?=-01$)|(?<![0-9a-zA-Z])[0-9a-f]{{32}}(?![0-9a-zA-Z])")
GROUP = rf"/subscriptions/{GUID}/resource[gG]roups/[\w.()-]+"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
# Who called is an id too, though Azure says it by name.
SECRETS_AND_CALLERS = {"createdBy", "createdByType", "lastModifiedBy", "lastModifiedByType", "n"}
# What clients go by. The others are told about the transport, or about Azure's own machines.
HEADERS = ["content-type", "azure-asyncoperation", "location", "www-authenticate", "api-supported-versions"]
UNDER_WAY = ("Queued", "Started", "Running")
# Stands for buildah: what it is to run is not there, and is taken for done.
BUILDER = """#!/bin/sh
case " $* " in
  *" from "*) echo working-container ;;
  *" inspect "*) echo '{"OCIv1":{"config":{"Cmd":["true"]}}}' ;;
esac
"""
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"  # the recorder's mask

Difference = collections.namedtuple("Difference", "call at what")


def kind(value):
    if value is None:
        return "null"
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}[type(value)]


class Replay:
    """One recording: what Azure called by one id or address and the emulator by another is learned on the way."""

    def __init__(self):
        self.session = requests.Session()
        self.session.verify = os.environ["REQUESTS_CA_BUNDLE"]
        self.ids = {SUBSCRIPTION: os.environ["AZURE_SUBSCRIPTION_ID"]}
        self.back = {ours: theirs for theirs, ours in self.ids.items()}
        self.operations = {}
        self.tokens = {}
        self.groups = set()
        self.ours = set()
        self.differences = []

    def token(self, host):
        resource = "https://vault.azure.net" if host.endswith(".vault.azure.net") else "https://management.azure.com"
        if resource not in self.tokens:
            answer = self.session.post(
                f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": os.environ["AZURE_CLIENT_ID"],
                    "client_secret": os.environ["AZURE_CLIENT_SECRET"],
                    "scope": f"{resource}/.default",
                },
            )
            answer.raise_for_status()
            self.tokens[resource] = answer.json()["access_token"]
        return self.tokens[resource]

    def caller(self):
        claims = self.token("management.azure.com").split(".")[1]
        return json.loads(base64.urlsafe_b64decode(claims + "=="))["oid"]

    def translate(self, text):
        return ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def send(self, method, uri, body=None, signed_in=True):
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if signed_in:
            headers["Authorization"] = f"Bearer {self.token(urlsplit(uri).netloc)}"
        return self.session.request(method, uri, data=body, headers=headers, allow_redirects=False)

    # --- what had been there before the recording began ---------------------------------------------

    def prepare(self, exchanges):
        """Makes what the recording finds there, by what it says of it."""
        shown = {}  # by path, what was found before it was put
        created = set()
        for request, answer in exchanges:
            path = urlsplit(request["uri"]).path
            self.groups |= {g.lower() for g in re.findall(GROUP, f"{path} {request['body']}")}
            if request["method"] == "PUT" and answer["status"]["code"] == 201:
                created.add(path)
            if request["method"] in ("GET", "PUT") and answer["status"]["code"] == 200 and path not in created:
                shown.setdefault(path, read(answer["body"]["string"]))
            self.ours.add(path.lower())
        for group in sorted(self.groups):
            found = next((shown[p] for p in shown if p.lower() == group), {})
            self.put(group, "2022-09-01", {"location": "westus"} | {f: found[f] for f in ("location", "tags") if f in found})
        for path, found in shown.items():
            if re.search(r"/Microsoft\.KeyVault/vaults/[^/]+$", path):
                self.vault(path, found)
        wanted = " ".join(request["body"] or "" for request, _ in exchanges)
        for name in sorted(set(re.findall(r"https://([\w-]+)\.vault\.azure\.net/secrets", wanted))):
            # It lets nobody in, as the recorded answers say.
            properties = {"sku": {"family": "A", "name": "standard"}, "tenantId": os.environ["AZURE_TENANT_ID"],
                          "accessPolicies": [], "enableRbacAuthorization": False}
            self.put(f"{min(self.groups)}/providers/Microsoft.KeyVault/vaults/{name}", "2023-02-01",
                     {"location": "westus", "properties": properties})
        sources = re.findall(rf'"resourceId": "({GROUP}/providers/Microsoft\.ContainerRegistry/registries/\w+)", "sourceImage": "([\w:.-]+)"', wanted)
        for path, image in sources:
            if path not in created:
                self.source(path, image)

    def vault(self, path, found):
        caller = found["properties"]["accessPolicies"][0]
        self.ids[caller["objectId"]] = self.caller()
        self.ids[found["properties"]["tenantId"]] = os.environ["AZURE_TENANT_ID"]
        for computed in ("vaultUri", "provisioningState"):
            found["properties"].pop(computed)
        self.put(path, "2023-02-01", {k: found[k] for k in ("location", "tags", "properties")})

    def source(self, path, image):
        """A registry with an image, however small, for others to import."""
        self.put(path, "2023-07-01", {"location": "westus", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": True}})
        answer = self.send("POST", self.translate(f"https://management.azure.com{path}/listCredentials?api-version=2023-07-01"))
        user, password = answer.json()["username"], answer.json()["passwords"][0]["value"]
        name, tag = image.split(":")
        base = f"https://{path.rpartition('/')[2]}.azurecr.io"
        scope = {"service": base[8:], "scope": f"repository:{name}:pull,push"}
        token = self.session.get(f"{base}/oauth2/token", params=scope, auth=(user, password)).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        config = b"{}"
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        upload = self.session.post(f"{base}/v2/{name}/blobs/uploads/").headers["Location"]
        upload = urljoin(base, upload)
        answers = [self.session.put(upload + ("&" if "?" in upload else "?") + f"digest={digest}", data=config)]
        media = "application/vnd.oci.image.manifest.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": media, "layers": [], "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "size": len(config), "digest": digest}}
        answers.append(self.session.put(f"{base}/v2/{name}/manifests/{tag}", json=manifest, headers={"Content-Type": media}))
        del self.session.headers["Authorization"]
        for answer in answers:
            if not answer.ok:
                raise SystemExit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")

    def put(self, path, version, body):
        uri = self.translate(f"https://management.azure.com{path}?api-version={version}")
        answer = self.send("PUT", uri, self.translate(json.dumps(body)))
        if not answer.ok:
            raise SystemExit(f"PUT {path}: {answer.status_code} {answer.text}")

    # --- the exchanges --------------------------------------------------------------------------------

    def exchange(self, request, recorded):
        uri = urlsplit(request["uri"])
        call = f"{request['method']} {shape(uri)}"
        operation = re.search(r"/(?:operation\w+)/([^/]+)$", uri.path)
        if operation:
            asked = self.operations.get(operation[1])
            if asked is None:
                self.differ(call, "operation", "none was begun")
                return
        else:
            query = "&".join(p for p in uri.query.split("&") if not re.match(r"[tcsh]=", p))
            asked = self.translate(urlunsplit((uri.scheme, uri.netloc, uri.path, query, "")))
        body = self.translate(request["body"]) if request["body"] else None
        # Key Vault's clients ask without a token first.
        signed_in = recorded["status"]["code"] != 401
        answer = self.send(request["method"], asked, body, signed_in)
        # Webhooks are told beside the requests, and more than once where nobody answers.
        for _ in range(100):
            if not uri.path.endswith("/listEvents") or answer.json()["value"]:
                break
            time.sleep(0.1)
            answer = self.send(request["method"], asked, body, signed_in)
        # Runs go on beside the requests: all of them are seen at their end, whatever the machine's pace.
        while re.search(r"/runs/[^/]+$", uri.path) and answer.ok and answer.json()["properties"]["status"] in UNDER_WAY:
            time.sleep(0.1)
            answer = self.send(request["method"], asked, body, signed_in)

        if answer.status_code != recorded["status"]["code"]:
            self.differ(call, "status", f"{recorded['status']['code']} is {answer.status_code}")
            return  # all else differs with it
        headers = {name.lower(): values[0] for name, values in recorded["headers"].items()}
        for name in HEADERS:
            there, here = name in headers, name in answer.headers
            if there != here:
                self.differ(call, name, "is missing" if there else "is extra")
            elif there and name in ("azure-asyncoperation", "location"):
                self.operation(call, name, headers[name], answer.headers[name])
            elif there and name == "content-type" and headers[name] != answer.headers[name]:
                self.differ(call, name, f"{headers[name]} is {answer.headers[name]}")
        self.compare(call, "", read(recorded["body"]["string"]), read(answer.text))

    def operation(self, call, header, recorded, ours):
        name = urlsplit(recorded).path.rpartition("/")[2]
        self.operations[name] = ours
        form, here = (masked(urlsplit(self.translate(uri)).path) for uri in (recorded, ours))
        if form != here:
            self.differ(call, header, f"{short(form)} is {short(here)}")

    def differ(self, call, at, what):
        self.differences.append(Difference(call, at, what))

    def compare(self, call, at, recorded, ours):
        name = at.rpartition(".")[2]
        if kind(recorded) != kind(ours):
            self.differ(call, at or "body", f"{kind(recorded)} is {kind(ours)}")
        elif isinstance(recorded, dict):
            for field in sorted(recorded.keys() | ours.keys()):
                here = f"{at}.{field}".lstrip(".")
                here = self.translate_key(here)
                if field not in ours and self.translate(field) not in ours:
                    self.differ(call, here, "is missing")
                elif field not in recorded and field not in map(self.translate, recorded):
                    self.differ(call, here, "is extra")
                elif field in recorded:
                    self.compare(call, here, recorded[field], ours.get(field, ours.get(self.translate(field))))
        elif isinstance(recorded, list):
            # In which order things are listed is not promised.
            recorded = sorted((item for item in recorded if self.concerns(item)), key=place)
            ours = sorted((item for item in ours if self.concerns(item)), key=place)
            if len(recorded) != len(ours):
                self.differ(call, at, f"{len(recorded)} items are {len(ours)}")
            for one, other in zip(recorded, ours):
                self.compare(call, f"{at}[]", one, other)
        elif isinstance(recorded, str):
            self.learn(recorded, ours)
            secret = name in SECRETS_AND_CALLERS or (name == "value" and ".passwords[]" in f".{at}") or name == "etag"
            if not secret and masked(self.translate(recorded)) != masked(ours):
                self.differ(call, at, f"{short(masked(recorded))} is {short(masked(ours))}")
        elif recorded != ours and not self.is_time(name):
            self.differ(call, at, f"{json.dumps(recorded)} is {json.dumps(ours)}")

    @staticmethod
    def is_time(name):
        return name in ("created", "updated")  # Key Vault's are numbers

    @staticmethod
    def translate_key(at):
        """An identity is a field's name in some answers."""
        return ID.sub("ID", at).replace("/subscriptions/ID", "S")

    def concerns(self, item):
        """Lists of a subscription hold what else there is in it."""
        path = item.get("id", "") if isinstance(item, dict) else ""
        top = re.match(rf"({GROUP}/providers/[^/]+/[^/]+/[^/]+)$", ID.sub(lambda i: self.back.get(i[0], i[0]), path))
        return not top or top[1].lower() in self.ours

    def learn(self, recorded, ours):
        theirs, here = ID.findall(recorded), ID.findall(ours)
        if len(theirs) == len(here):
            for one, other in zip(theirs, here):
                self.ids.setdefault(one, other)


def place(item):
    return str(item.get("id", "")).lower() if isinstance(item, dict) else ""


def masked(text):
    return ID.sub("ID", TIME.sub("TIME", text))


def short(text):
    return json.dumps(text if len(text) < 100 else f"{text[:97]}...")


def read(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def shape(uri):
    """An address without the names that differ from recording to recording."""
    path = ID.sub("ID", uri.path)
    path = re.sub(r"/subscriptions/ID", "S", path)
    path = re.sub(r"(?i)/resourceGroups/[^/]+", "/G", path)
    path = re.sub(r"/providers/Microsoft\.ContainerRegistry", "/CR", path)
    path = re.sub(r"/locations/[^/]+", "/locations/L", path)
    path = re.sub(r"(registries|vaults|virtualNetworks|subnets|userAssignedIdentities|credentialSets|cacheRules|replications|webhooks|scopeMaps|tokens|tasks|runs|keys)/[^/]+", r"\1/N", path)
    path = re.sub(r"(operation\w+)/.*", r"\1/O", path)
    host = "" if uri.netloc == "management.azure.com" else uri.netloc.partition(".")[2]
    return f"{host}{path}"


def one(file):
    recording = yaml.load(Path(file).read_text(), Loader=yaml.CSafeLoader)["interactions"]
    exchanges = [(i["request"], i["response"]) for i in recording]
    replay = Replay()
    replay.prepare(exchanges)
    for request, answer in exchanges:
        replay.exchange(request, answer)
    json.dump({"exchanges": len(exchanges), "differences": replay.differences}, sys.stdout)


def line(difference, times):
    return f"{times:3d} | {difference.call} | {difference.at} | {difference.what}"


def everything(folder, listed):
    files = sorted(Path(folder).glob("*.yaml"))
    if not files:
        raise SystemExit(f"there are no recordings in {folder}")
    found, exchanges = collections.Counter(), 0
    builder = Path(tempfile.mkdtemp()) / "buildah"
    builder.write_text(BUILDER)
    builder.chmod(0o755)
    for file in files:
        run = subprocess.run(
            [os.environ["ACRITE"], "exec", "--offline", "--builder", builder, "--", sys.executable, __file__, "--one", file],
            stdout=subprocess.PIPE,
            check=False,
        )
        if run.returncode:
            raise SystemExit(f"{file.name}: exit code {run.returncode}")
        said = json.loads(run.stdout)
        exchanges += said["exchanges"]
        found.update(Difference(*d) for d in said["differences"])
        print(f"{file.name}: {said['exchanges']} exchanges, {len(said['differences'])} differences", file=sys.stderr)
    shutil.rmtree(builder.parent)
    if listed is None:
        print("\n".join(sorted(line(d, n) for d, n in found.items())))
        return
    expected = {}
    for text in Path(listed).read_text().splitlines():
        if not text or text.startswith("#"):
            continue
        times, call, at, what, _reason = text.split(" | ")
        expected[Difference(call.strip(), at.strip(), what.strip())] = int(times)
    wrong = [f"new:  {line(d, n)} (listed: {expected.get(d, 0)})" for d, n in found.items() if n > expected.get(d, 0)]
    wrong += [f"gone: {line(d, found[d])} (listed: {n})" for d, n in expected.items() if n > found[d]]
    print(f"{exchanges} exchanges of {len(files)} recordings, {sum(found.values())} differences, all of them listed" if not wrong else "\n".join(sorted(wrong)))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2])
    else:
        everything(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
