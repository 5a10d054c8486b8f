"""Servers that are measured beside each other, each on a free port of this machine, and the clients that load them.

Must not know: what is measured. acrite keeps everything sealed and checks a token with every request; CNCF distribution
(Debian's docker-registry) stores plaintext and checks none; nginx gives plain files, the floor that no registry goes under.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1024 * 1024
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
RUNNING = []


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def binary(build):
    given = os.environ.get("ACRITE_BIN")
    if given:
        return os.path.abspath(given)
    if build:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    metadata = run("cargo", "metadata", "--format-version", "1", "--no-deps", cwd=ROOT)
    return os.path.join(json.loads(metadata)["target_directory"], "release", "acrite")


# --- acrite ----------------------------------------------------------------------------------


class Acrite:
    """`acrite serve` on a free port."""

    def __init__(self, program, folder):
        self.program = program
        self.log = open(folder + ".log", "ab")
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [program, "serve", "--offline", "--listen", "127.0.0.1:0", "--data-dir", folder],
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        RUNNING.append(self.process)
        for line in self.process.stdout:
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        else:
            sys.exit(f"acrite serve printed no address; see {folder}.log")
        self.port = int(found.group(1))
        threading.Thread(target=self.process.stdout.read, daemon=True).start()  # so that it never waits for a reader
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/")
        connection.getresponse().read()
        self.started = time.perf_counter() - began

    def environment(self):
        """What `acrite env` tells a shell to set."""
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        clean["ACRITE_URL"] = f"http://127.0.0.1:{self.port}"
        script = run(self.program, "env", "--shell", "sh", env=clean)
        told = run("sh", "-c", script + "\nenv -0", env=clean)
        return dict(line.split("=", 1) for line in told.split("\0") if "=" in line)

    def control(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        content = json.dumps(body) if body is not None else None
        connection.request(method, f"/acrite/v1/{path}", content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        if answer.status >= 400:
            sys.exit(f"{method} {path}: {answer.status} {said[:500]!r}")
        return json.loads(said) if said else None

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        RUNNING.remove(self.process)


def wait_for(port, failed):
    """Returns once a server listens on the port; ends the run with `failed` if none does."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(failed)


def status(process, name):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(rf"^{name}:\s+(\d+) kB", file.read(), re.M).group(1)) / 1024


def reset_peak(process):
    with open(f"/proc/{process.pid}/clear_refs", "w") as file:
        file.write("5")


class Azure:
    """The few calls that make a registry, by Azure's names and through the proxy port."""

    def __init__(self, acrite):
        self.variables = acrite.environment()
        self.port = acrite.port
        self.trust = ssl.create_default_context(cafile=self.variables["SSL_CERT_FILE"])

    def call(self, method, url, body=None, token=None, form=None):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.trust)
        connection.set_tunnel(parts.netloc, 443)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        elif body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {url}: {answer.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def token(self, resource):
        tenant = self.variables["AZURE_TENANT_ID"]
        return self.call(
            "POST",
            f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
            form={
                "grant_type": "client_credentials",
                "client_id": self.variables["AZURE_CLIENT_ID"],
                "client_secret": self.variables["AZURE_CLIENT_SECRET"],
                "scope": resource + "/.default",
            },
        )["access_token"]

    def registry(self, name):
        """A registry with a customer-managed key; gives a token for its repository `bench`."""
        arm = self.token("https://management.azure.com")
        tenant, subscription = self.variables["AZURE_TENANT_ID"], self.variables["AZURE_SUBSCRIPTION_ID"]
        group = f"https://management.azure.com/subscriptions/{subscription}/resourceGroups/bench"
        self.call("PUT", f"{group}?api-version=2024-11-01", {"location": "eastus"}, arm)
        identity = self.call(
            "PUT",
            f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/bench?api-version=2023-01-31",
            {"location": "eastus"},
            arm,
        )
        own = json.loads(_claims(arm))["oid"]
        allowed = {own: ["all"], identity["properties"]["principalId"]: ["get", "wrapKey", "unwrapKey"]}
        self.call(
            "PUT",
            f"{group}/providers/Microsoft.KeyVault/vaults/{name}?api-version=2023-07-01",
            {
                "location": "eastus",
                "properties": {
                    "tenantId": tenant,
                    "sku": {"family": "A", "name": "standard"},
                    "accessPolicies": [
                        {"tenantId": tenant, "objectId": who, "permissions": {"keys": keys}} for who, keys in allowed.items()
                    ],
                },
            },
            arm,
        )
        vault = f"https://{name}.vault.azure.net"
        self.call("POST", f"{vault}/keys/key/create?api-version=7.4", {"kty": "RSA"}, self.token("https://vault.azure.net"))
        url = f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}?api-version=2025-11-01"
        self.call(
            "PUT",
            url,
            {
                "location": "eastus",
                "sku": {"name": "Premium"},
                "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}},
                "properties": {
                    "encryption": {
                        "status": "enabled",
                        "keyVaultProperties": {
                            "keyIdentifier": f"{vault}/keys/key",
                            "identity": identity["properties"]["clientId"],
                        },
                    }
                },
            },
            arm,
        )
        while self.call("GET", url, token=arm)["properties"]["provisioningState"] != "Succeeded":
            time.sleep(0.05)
        host = f"{name}.azurecr.io"
        refresh = self.call(
            "POST",
            f"https://{host}/oauth2/exchange",
            form={"grant_type": "access_token", "service": host, "tenant": tenant, "access_token": arm},
        )["refresh_token"]
        return self.call(
            "POST",
            f"https://{host}/oauth2/token",
            form={
                "grant_type": "refresh_token",
                "service": host,
                "scope": "repository:bench:pull,push,metadata_read",
                "refresh_token": refresh,
            },
        )["access_token"]


def _claims(token):
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


# --- CNCF distribution -----------------------------------------------------------------------


class Distribution:
    """docker-registry on a free port, storing on disk; over TLS, if `tls`."""

    def __init__(self, folder, tls):
        os.makedirs(folder)
        self.certificate = os.path.join(folder, "certificate.pem")
        key = os.path.join(folder, "key.pem")
        run(
            *"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.certificate),
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        own = {"tls": {"certificate": self.certificate, "key": key}} if tls else {}
        config = os.path.join(folder, "config.yml")
        with open(config, "w") as file:
            json.dump(  # JSON is YAML
                {
                    "version": 0.1,
                    "log": {"level": "error", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": os.path.join(folder, "data")}},
                    "http": {"addr": f"127.0.0.1:{self.port}", "secret": "bench", **own},
                },
                file,
            )
        self.log = open(os.path.join(folder, "log"), "ab")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=self.log, stderr=self.log)
        RUNNING.append(self.process)
        wait_for(self.port, f"docker-registry did not start; see {self.log.name}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        RUNNING.remove(self.process)


# --- the big blob ----------------------------------------------------------------------------


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else _digest(file)


def _digest(file):
    digest = hashlib.sha256()
    while block := file.read(MIB):
        digest.update(block)
    return digest.hexdigest()


class Curl:
    """Pushes and pulls one blob, and says how long the client took."""

    def __init__(self, origin, environment, *options):
        self.origin = origin
        self.environment = environment
        self.options = ["--silent", "--show-error", "--fail", *options]

    def __call__(self, *arguments):
        return run("curl", *self.options, *arguments, env=self.environment)

    def push(self, path, digest):
        began = time.perf_counter()
        headers = self("-D", "-", "-o", os.devnull, "-X", "POST", f"{self.origin}/v2/bench/blobs/uploads/")
        place = re.search(r"^location: *(\S+)", headers, re.M | re.I).group(1)
        place = urllib.parse.urljoin(self.origin, place)
        place += ("&" if "?" in place else "?") + "digest=sha256:" + digest
        self("-T", path, "-H", "Content-Type: application/octet-stream", "-H", "Expect:", place)
        return time.perf_counter() - began

    def pull(self, digest):
        began = time.perf_counter()
        self("-L", "-o", os.devnull, f"{self.origin}/v2/bench/blobs/sha256:{digest}")
        return time.perf_counter() - began

    def check(self, digest):
        """The bytes that come back are those that were sent."""
        curl = subprocess.Popen(
            ["curl", *self.options, "-L", f"{self.origin}/v2/bench/blobs/sha256:{digest}"],
            env=self.environment,
            stdout=subprocess.PIPE,
        )
        if _digest(curl.stdout) != digest or curl.wait() != 0:
            sys.exit(f"{self.origin} gave back other bytes than it was given")


def new_content(path, size, round_number):
    """Random bytes; another round's differ only in the first block, which is enough to be another blob."""
    mode = "r+b" if os.path.exists(path) else "wb"
    with open(path, mode) as file:
        if mode == "wb":
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
            file.seek(0)
        file.write(os.urandom(4096))
    return digest_of(path)


# --- nginx -----------------------------------------------------------------------------------


class Nginx:
    """nginx that gives the files of a folder."""

    def __init__(self, folder):
        os.makedirs(os.path.join(folder, "files"))
        self.files = os.path.join(folder, "files")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = os.path.join(folder, "nginx.conf")
        temporary = " ".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        with open(config, "w") as file:
            file.write(
                f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes auto; "
                f"events {{ worker_connections 1024; }} http {{ access_log off; sendfile on; keepalive_requests 100000000; {temporary} "
                f"server {{ listen 127.0.0.1:{self.port}; root {self.files}; }} }}"
            )
        self.process = subprocess.Popen(["nginx", "-p", folder, "-c", config, "-e", f"{folder}/error.log"])
        RUNNING.append(self.process)
        wait_for(self.port, "nginx did not start")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        RUNNING.remove(self.process)


# --- clients of many small requests ---------------------------------------------------------


def wrk(port, path, headers, seconds, script=None, connections=16):
    """Answered requests a second; everything but 2xx fails the run."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if script:
        command += ["-s", script]
    said = run(*command, f"http://127.0.0.1:{port}{path}")
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"wrk {path} at {port}: {said}")
    return float(next(line.split()[1] for line in said.splitlines() if line.startswith("Requests/sec")))


class Registry:
    """A registry at a port, over plain HTTP: acrite's by its host's name."""

    def __init__(self, port, host=None, token=None):
        self.port = port
        self.headers = {}
        if host:
            self.headers["Host"] = host
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port)

    def call(self, method, path, body=None, **headers):
        headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        answer.content = answer.read()
        if answer.status >= 400:
            sys.exit(f"{method} {path} at {self.port}: {answer.status} {answer.content[:300]!r}")
        return answer

    def push(self, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        place = urllib.parse.urlsplit(self.call("POST", "/v2/bench/blobs/uploads/").headers["Location"])
        query = (place.query + "&" if place.query else "") + f"digest={digest}"
        self.call("PUT", f"{place.path}?{query}", content, Content_Type="application/octet-stream")
        return digest

    def image(self):
        """Pushes a small image; its manifest's bytes."""
        config = self.push(b"{}")
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [],
        }
        manifest = json.dumps(manifest).encode()
        self.call("PUT", "/v2/bench/manifests/v1", manifest, Content_Type=MANIFEST)
        return manifest
