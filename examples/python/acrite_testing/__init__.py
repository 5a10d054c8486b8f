"""Starts acrite, points this process at it, and drives it. Knows nothing of Azure."""

import json
import os
import re
import shlex
import subprocess
import urllib.request
from urllib.error import HTTPError


class AcriteError(Exception):
    """What acrite answered to something that it could not do."""


class Acrite:
    """A running instance."""

    def __init__(self, url, process=None):
        self.url = url
        self._process = process
        # The emulator itself is never asked by way of a proxy.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def start(cls, *options):
        """The instance that this process runs in, else one of its own."""
        if url := os.environ.get("ACRITE_URL"):
            return cls(url)
        options = options or shlex.split(os.environ.get("ACRITE_OPTIONS", ""))
        command = [program(), "serve", "--ephemeral", "--listen", "127.0.0.1:0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        found = re.match(r"acrite listening on (\S+)", line)
        if not found:
            process.wait()
            raise AcriteError(f"acrite did not start: {line}")
        return cls(found[1], process)

    def stop(self):
        """Stops an instance of one's own."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    def environment(self):
        """The variables that point Azure's clients at this instance."""
        asked = dict(os.environ, ACRITE_URL=self.url)
        said = subprocess.run([program(), "env", "--shell", "github"], env=asked, check=True, capture_output=True, text=True)
        return dict(line.split("=", 1) for line in said.stdout.splitlines())

    def call(self, method, path, body=None):
        """The control API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if token := os.environ.get("ACRITE_TOKEN"):
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.url}/acrite/v1/{path}", data, headers, method=method)
        try:
            with self._http.open(request) as answer:
                return json.load(answer)
        except HTTPError as refusal:
            raise AcriteError(json.load(refusal)["error"]["message"]) from None

    def fault(self, service, operation=None, **what):
        """Makes calls fail: fault("keyvault", "KeyUnwrap", status=429, times=3)."""
        rule = {"service": service, **what}
        if operation:
            rule["operation"] = operation
        return self.call("POST", "faults", rule)["id"]

    def faults(self):
        return self.call("GET", "faults")["faults"]

    def clear_faults(self):
        return self.call("DELETE", "faults")["faults"]

    def advance(self, by):
        """Lets time pass: seconds, or text such as "61m"."""
        units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        if isinstance(by, str):
            by = sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([smhd])", by))
        return self.call("POST", "clock", {"advance": by})

    def freeze(self):
        return self.call("POST", "clock", {"freeze": True})

    def status(self):
        return self.call("GET", "status")

    def audit(self):
        return [entry.get("audit") or entry.get("event") for entry in self.call("GET", "audit")["entries"]]

    def save(self, name):
        return self.call("POST", "snapshots", {"name": name})

    def load(self, name):
        return self.call("POST", f"snapshots/{name}/load", {})

    def forget(self, name):
        return self.call("DELETE", f"snapshots/{name}")


def program():
    return os.environ.get("ACRITE_BIN", "acrite")
