# The article's template by the article's command, then what else az does with deployments.
#
#   VAULT_OPTIONS   what this az needs beyond the article to make a vault with access policies
. "$ACRITE_SUITES/lib.sh"

group=rg-templates
vault=vault$RANDOM
registry=templates$RANDOM
identity=myidentity

step "the article's template by the article's command"
az group create --name $group --location eastus >/dev/null
az keyvault create --name $vault --resource-group $group --enable-purge-protection $VAULT_OPTIONS >/dev/null
az keyvault key create --name mykey --vault-name $vault >/dev/null
keyID=https://$vault.vault.azure.net/keys/mykey
cd "$ACRITE_SUITES"
deploy() {
  az deployment group $1 \
    --resource-group $group \
    --template-file CMKtemplate.json \
    --parameters \
      registry_name=$registry \
      identity_name=$identity \
      vault_name=$vault \
      kek_id=$keyID "${@:2}"
}
deploy validate >"$WORK/validated.json"
equal "the state of what was validated" "$(field properties.provisioningState <"$WORK/validated.json")" Succeeded
equal "nothing was created by that" "$(az resource list --resource-group $group --query 'length(@)')" 1
deploy create >"$WORK/deployment.json"
equal "the state of the deployment" "$(field properties.provisioningState <"$WORK/deployment.json")" Succeeded

step "the registry is encrypted with the key"
az acr encryption show --name $registry >"$WORK/encryption.json"
equal "status" "$(field status <"$WORK/encryption.json")" enabled
equal "keyIdentifier" "$(field keyVaultProperties.keyIdentifier <"$WORK/encryption.json")" $keyID
equal "identity" "$(field keyVaultProperties.identity <"$WORK/encryption.json")" \
  "$(az identity show --resource-group $group --name $identity --query clientId --output tsv)"

step "push and pull"
login $registry
image make "$WORK/image"
push "$WORK/image" $registry team/app:v1
pull_is_identical $registry team/app:v1 "$WORK/image"

step "what-if on an unchanged world shows no change"
deploy what-if --no-pretty-print >"$WORK/what-if.json"
equal "the kinds of change" "$("$PYTHON" -c '
import json, sys
print(*sorted({c["changeType"] for c in json.load(sys.stdin)["changes"]}))' <"$WORK/what-if.json")" NoChange

step "deploying twice changes nothing"
az acr show --name $registry >"$WORK/before.json"
deploy create >/dev/null
az acr show --name $registry >"$WORK/after.json"
equal "the registry but for its dates" \
  "$("$PYTHON" -c 'import json,sys; d=json.load(sys.stdin); d.pop("systemData"); d["encryption"]["keyVaultProperties"].pop("lastKeyRotationTimestamp"); print(json.dumps(d, sort_keys=True))' <"$WORK/after.json")" \
  "$("$PYTHON" -c 'import json,sys; d=json.load(sys.stdin); d.pop("systemData"); d["encryption"]["keyVaultProperties"].pop("lastKeyRotationTimestamp"); print(json.dumps(d, sort_keys=True))' <"$WORK/before.json")"
pull_is_identical $registry team/app:v1 "$WORK/image"

step "show, list, operations, export, delete"
equal "the deployment's name" "$(az deployment group list --resource-group $group --query '[].name' --output tsv)" CMKtemplate
equal "its mode" "$(az deployment group show --resource-group $group --name CMKtemplate --query properties.mode --output tsv)" Incremental
equal "its operations" "$(az deployment operation group list --resource-group $group --name CMKtemplate --query 'length(@)')" 4
az deployment group export --resource-group $group --name CMKtemplate >"$WORK/exported.json"
equal "its template" "$(field parameters.kek_id.type <"$WORK/exported.json")" String
refused "cannot be cancelled" az deployment group cancel --resource-group $group --name CMKtemplate
az deployment group delete --resource-group $group --name CMKtemplate
refused DeploymentNotFound az deployment group show --resource-group $group --name CMKtemplate

step "a template that is wrong is refused with Azure's words, and nothing is created"
sed 's/resourceID(/resourceIdd(/' CMKtemplate.json >"$WORK/wrong.json"
refused "The template function 'resourceIdd' is not valid" az deployment group create --resource-group $group \
  --template-file "$WORK/wrong.json" --parameters registry_name=other$registry identity_name=i2 vault_name=$vault kek_id=$keyID
sed 's/Microsoft.KeyVault\/vaults\/accessPolicies/Microsoft.Storage\/storageAccounts/; s/, .\/add.)/)/' CMKtemplate.json >"$WORK/wrong.json"
refused "Microsoft.Storage" az deployment group create --resource-group $group \
  --template-file "$WORK/wrong.json" --parameters registry_name=other$registry identity_name=i2 vault_name=$vault kek_id=$keyID
equal "the identities" "$(az identity list --resource-group $group --query '[].name' --output tsv)" $identity

step "a failure names the resource"
refused "Microsoft.ContainerRegistry/registries/x" az deployment group create --resource-group $group \
  --template-file CMKtemplate.json --parameters registry_name=x identity_name=$identity vault_name=$vault kek_id=$keyID

step "complete mode removes what the template does not name"
az identity create --resource-group $group --name surplus >/dev/null
cat >"$WORK/empty.json" <<'JSON'
{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "resources": []
}
JSON
az group create --name rg-complete --location eastus >/dev/null
az identity create --resource-group rg-complete --name surplus >/dev/null
az deployment group create --resource-group rg-complete --template-file "$WORK/empty.json" --mode Complete >/dev/null
equal "the identities left" "$(az identity list --resource-group rg-complete --query 'length(@)')" 0
equal "the identities elsewhere" "$(az identity list --resource-group $group --query 'length(@)')" 2

step "a deployment to the subscription, with a group and what lies in it"
cat >"$WORK/subscription.json" <<'JSON'
{
  "$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": { "group": { "type": "string" } },
  "resources": [
    {
      "type": "Microsoft.Resources/resourceGroups",
      "apiVersion": "2022-09-01",
      "name": "[parameters('group')]",
      "location": "[deployment().location]"
    },
    {
      "type": "Microsoft.Resources/deployments",
      "apiVersion": "2022-09-01",
      "name": "inside",
      "resourceGroup": "[parameters('group')]",
      "dependsOn": [ "[subscriptionResourceId('Microsoft.Resources/resourceGroups', parameters('group'))]" ],
      "properties": {
        "mode": "Incremental",
        "expressionEvaluationOptions": { "scope": "inner" },
        "template": {
          "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
          "contentVersion": "1.0.0.0",
          "resources": [
            {
              "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
              "apiVersion": "2023-01-31",
              "name": "[concat('id-', resourceGroup().name)]",
              "location": "[resourceGroup().location]"
            }
          ],
          "outputs": { "group": { "type": "string", "value": "[resourceGroup().name]" } }
        }
      }
    }
  ],
  "outputs": {
    "inside": { "type": "string", "value": "[reference(resourceId(subscription().subscriptionId, parameters('group'), 'Microsoft.Resources/deployments', 'inside'), '2022-09-01').outputs.group.value]" }
  }
}
JSON
az deployment sub create --name whole --location eastus --template-file "$WORK/subscription.json" --parameters group=rg-made >"$WORK/sub.json"
equal "its output" "$(field properties.outputs.inside.value <"$WORK/sub.json")" rg-made
equal "the identity" "$(az identity list --resource-group rg-made --query '[].name' --output tsv)" id-rg-made
az deployment sub what-if --name whole --location eastus --template-file "$WORK/subscription.json" --parameters group=rg-made \
  --no-pretty-print >"$WORK/what-if.json"
equal "the kinds of change" "$("$PYTHON" -c '
import json, sys
print(*sorted({c["changeType"] for c in json.load(sys.stdin)["changes"]}))' <"$WORK/what-if.json")" NoChange
az deployment sub delete --name whole

step "a world from a fixture, from nothing"
began=$(date +%s.%N)
"$ACRITE" exec --offline --template "$ACRITE_SUITES/../../fixtures/cmk.json" -- \
  az acr encryption show --name acritecmk >"$WORK/encryption.json"
printf 'acrite exec --template fixtures/cmk.json -- az acr encryption show: %.1f s\n' "$("$PYTHON" -c "import time; print(time.time() - $began)")"
equal "status" "$(field status <"$WORK/encryption.json")" enabled

done_with_suite
