# needs: azure-python
# Microsoft's resource-management clients for Python: deployments and their long-running operations.
. "$ACRITE_SUITES/lib.sh"
PYTHON=$ACRITE_CLIENTS/azure-python/bin/python
step "a template by azure-mgmt-resource"
cat >"$WORK/template.json" <<'JSON'
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": { "name": { "type": "string", "minLength": 5 } },
  "resources": [
    {
      "type": "Microsoft.ContainerRegistry/registries",
      "apiVersion": "2023-07-01",
      "name": "[parameters('name')]",
      "location": "[resourceGroup().location]",
      "sku": { "name": "Premium" }
    }
  ],
  "outputs": {
    "server": { "type": "string", "value": "[reference(parameters('name')).loginServer]" }
  }
}
JSON
"$PYTHON" "$ACRITE_SUITES/templates.py" "$WORK/template.json" rg-python >"$WORK/said"
equal "what the client said last" "$(tail -n 1 "$WORK/said")" "done"
done_with_suite
