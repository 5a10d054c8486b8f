"""Two tests that would disturb each other, and one of each tool. Azure is called as its clients call it: over HTTPS,
by the environment that the fixture has set."""

import json
import os
import ssl
import urllib.parse
import urllib.request
from urllib.error import HTTPError

ARM = "https://management.azure.com"


def token():
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_secret": os.environ["AZURE_CLIENT_SECRET"],
        "scope": f"{ARM}/.default",
    }
    url = f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token"
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), context=ssl.create_default_context()) as answer:
        return json.load(answer)["access_token"]


def group(method, name="tests"):
    path = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{name}?api-version=2021-04-01"
    body = json.dumps({"location": "eastus"}).encode() if method == "PUT" else None
    headers = {"authorization": f"Bearer {token()}", "content-type": "application/json"}
    request = urllib.request.Request(ARM + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context()) as answer:
            return answer.status
    except HTTPError as refusal:
        return refusal.code


def test_a_group_is_made(acrite):
    assert group("GET") == 404
    assert group("PUT") == 201


def test_the_next_test_does_not_see_it(acrite):
    assert group("GET") == 404
    assert group("PUT") == 201


def test_a_fault_hits_as_often_as_it_says(acrite):
    acrite.fault("arm", "*/resourceGroups/write", status=429, times=2, retry_after=1)
    assert [group("PUT") for _ in range(3)] == [429, 429, 201]
    assert acrite.faults()[0]["hit"] == 2


def test_faults_end_with_their_test(acrite):
    assert acrite.faults() == []


def test_time_passes_at_once(acrite):
    before = acrite.freeze()["now"]
    after = acrite.advance("1d")["now"]
    assert before[:10] != after[:10]
