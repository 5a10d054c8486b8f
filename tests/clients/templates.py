"""Microsoft's resource-management clients for Python: a template validated, deployed, listed, what-if'ed, deleted.

Arguments: the template, the vault, the key id. Nothing but the ordinary credential is set on the clients.
"""

import json
import os
import sys

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient

template_file, group = sys.argv[1:3]
subscription = os.environ["AZURE_SUBSCRIPTION_ID"]
credential = DefaultAzureCredential()
resources = ResourceManagementClient(credential, subscription)
deployments = DeploymentsMgmtClient(credential, subscription).deployments

resources.resource_groups.create_or_update(group, {"location": "eastus"})
with open(template_file, encoding="utf-8") as file:
    template = json.load(file)
asked = {"properties": {"mode": "Incremental", "template": template, "parameters": {"name": {"value": "mgmtreg01"}}}}

validated = deployments.begin_validate(group, "one", asked).result()
assert validated.properties.provisioning_state == "Succeeded", validated
done = deployments.begin_create_or_update(group, "one", asked).result()
assert done.properties.provisioning_state == "Succeeded", done
assert done.properties.outputs["server"]["value"] == "mgmtreg01.azurecr.io", done.properties.outputs
assert [d.name for d in deployments.list_by_resource_group(group)] == ["one"]
changes = {c.change_type for c in deployments.begin_what_if(group, "one", asked).result().properties.changes}
assert changes == {"NoChange"}, changes
names = sorted(r.name for r in resources.resources.list_by_resource_group(group))
assert names == ["mgmtreg01"], names

asked["properties"]["template"] = {**template, "resources": [{"type": "Microsoft.Web/sites", "apiVersion": "2023-01-01", "name": "x"}]}
try:
    deployments.begin_create_or_update(group, "two", asked).result()
    raise SystemExit("a type that is not emulated was deployed")
except HttpResponseError as refused:
    print("refused:", refused.error.code if refused.error else refused.message)
deployments.begin_delete(group, "one").result()
resources.resource_groups.begin_delete(group).result()
print("done")
