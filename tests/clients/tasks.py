"""Microsoft's clients of ACR Tasks and of blob storage for Python, with nothing set but the ordinary credential.

A source is uploaded, built and its log read; tasks are made, run, changed and taken away; a log ends with its time.
"""

import base64
import io
import os
import subprocess
import tarfile
import time

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from azure.mgmt.containerregistrytasks.models import (
    DockerBuildRequest,
    EncodedTaskRunRequest,
    EncodedTaskStep,
    PlatformProperties,
    RunUpdateParameters,
    Task,
    TaskProperties,
    TaskRunRequest,
    TimerTrigger,
    TriggerProperties,
)
from azure.storage.blob import BlobClient

GROUP, NAME = "rg-tasks-python", "taskspy01"
MARKER = b"built from python"
subscription = os.environ["AZURE_SUBSCRIPTION_ID"]
client = ContainerRegistryTasksMgmtClient(DefaultAzureCredential(), subscription)
group_id = f"/subscriptions/{subscription}/resourceGroups/{GROUP}"
registry_id = f"{group_id}/providers/Microsoft.ContainerRegistry/registries/{NAME}"


def send(method, path, body, version):
    """A call by the client's own pipeline."""
    request = HttpRequest(method, f"https://management.azure.com{path}?api-version={version}", json=body)
    client.send_request(request).raise_for_status()


def ended(run_id):
    """Waits for a run's end, as the client's users do."""
    while True:
        run = client.runs.get(GROUP, NAME, run_id)
        if run.properties.status not in ("Queued", "Started", "Running"):
            return run
        time.sleep(0.2)


def log_of(run_id):
    link = client.runs.get_log_sas_url(GROUP, NAME, run_id).log_link
    return link, BlobClient.from_blob_url(link).download_blob().readall().decode()


def refused(kind, call):
    """The call must fail with an error of the client's own kind."""
    try:
        call()
    except kind:
        return
    raise SystemExit(f"not refused: {kind.__name__}")


send("PUT", group_id, {"location": "eastus"}, "2021-04-01")
send("PUT", registry_id, {"location": "eastus", "sku": {"name": "Premium"}}, "2025-11-01")

# --- a source, uploaded whole and in blocks ---------------------------------------------------------------------------
packed = io.BytesIO()
with tarfile.open(fileobj=packed, mode="w:gz") as archive:
    for name, content in {"Dockerfile": b"FROM scratch\nCOPY mark /mark\n", "mark": MARKER}.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
upload = client.registries.get_build_source_upload_url(GROUP, NAME)
blob = BlobClient.from_blob_url(upload.upload_url, max_single_put_size=100, max_block_size=100)
blob.upload_blob(packed.getvalue(), overwrite=True)
refused(HttpResponseError, blob.get_blob_properties)  # the link is for writing
changed = upload.upload_url[:-1] + ("A" if upload.upload_url[-1] != "A" else "B")
refused(ClientAuthenticationError, lambda: BlobClient.from_blob_url(changed).upload_blob(b"x", overwrite=True))

# --- runs -------------------------------------------------------------------------------------------------------------
linux = PlatformProperties(os="Linux", architecture="amd64")
build = client.registries.schedule_run(
    GROUP,
    NAME,
    DockerBuildRequest(
        image_names=["mark:{{.Run.ID}}"],
        docker_file_path="Dockerfile",
        source_location=upload.relative_path,
        platform=linux,
        is_push_enabled=True,
    ),
)
build = ended(build.properties.run_id)
link, log = log_of(build.properties.run_id)
assert build.properties.status == "Succeeded", log
[image] = build.properties.output_images
assert (image.repository, image.tag) == ("mark", build.properties.run_id), image
assert f"Run ID: {build.properties.run_id} was successful" in log, log

wrong = base64.b64encode(b"version: v1.1.0\nsteps:\n  - build: -t $Registry/no:v1 -f Missing .\n").decode()
failed = client.registries.schedule_run(
    GROUP,
    NAME,
    EncodedTaskRunRequest(encoded_task_content=wrong, source_location=upload.relative_path, platform=linux),
)
assert ended(failed.properties.run_id).properties.status == "Failed"

# --- tasks ------------------------------------------------------------------------------------------------------------
steps = base64.b64encode(b"version: v1.1.0\nsteps:\n  - build: -t $Registry/task:$ID -f Dockerfile .\n").decode()
made = client.tasks.create(
    GROUP,
    NAME,
    "daily",
    Task(
        location="eastus",
        properties=TaskProperties(
            status="Enabled",
            platform=linux,
            step=EncodedTaskStep(encoded_task_content=steps, context_path="/dev/null"),
            trigger=TriggerProperties(timer_triggers=[TimerTrigger(name="t1", schedule="30 6 * * *")]),
        ),
    ),
)
assert made.properties.trigger.timer_triggers[0].schedule == "30 6 * * *"
assert [task.name for task in client.tasks.list(GROUP, NAME)] == ["daily"]
assert client.tasks.get_details(GROUP, NAME, "daily").properties.step.encoded_task_content == steps
run = client.registries.schedule_run(GROUP, NAME, TaskRunRequest(task_id=made.id))
run = ended(run.properties.run_id)
assert run.properties.task == "daily", run

kept = client.runs.update(GROUP, NAME, run.properties.run_id, RunUpdateParameters(is_archive_enabled=True))
assert kept.properties.is_archive_enabled or client.runs.get(GROUP, NAME, run.properties.run_id).properties.is_archive_enabled

# --- time -------------------------------------------------------------------------------------------------------------
subprocess.run(["acrite", "clock", "advance", "24h"], check=True, stdout=subprocess.DEVNULL)
runs = list(client.runs.list(GROUP, NAME))
timed = [r for r in runs if r.properties.run_type == "AutoRun" or r.properties.timer_trigger]
assert len(runs) == 4 and len(timed) == 1, [(r.name, r.properties.run_type) for r in runs]
ended(timed[0].properties.run_id)
refused(HttpResponseError, lambda: BlobClient.from_blob_url(link).download_blob().readall())
assert log_of(build.properties.run_id)[1] == log
client.tasks.delete(GROUP, NAME, "daily")
refused(ResourceNotFoundError, lambda: client.tasks.get(GROUP, NAME, "daily"))
subprocess.run(["acrite", "clock", "advance", "31d"], check=True, stdout=subprocess.DEVNULL)
refused(HttpResponseError, lambda: log_of(build.properties.run_id))
print("done: 4 runs")
