# needs: az-current skopeo
# The article's advanced scenario: a key in a vault behind a firewall, reached with the system-assigned identity.
. "$ACRITE_SUITES/lib.sh"

group=rg-firewall
open=open$RANDOM     # outside the firewall, only to create the registry with
closed=closed$RANDOM # the existing vault inside it
registry=firewalled$RANDOM

step "a registry with a key in a new vault outside the firewall"
az group create --name $group --location eastus >/dev/null
az identity create --resource-group $group --name id1 >"$WORK/identity.json"
identity=$(field id <"$WORK/identity.json") client=$(field clientId <"$WORK/identity.json")
principal=$(field principalId <"$WORK/identity.json")
for vault in $open $closed; do
  az keyvault create --name $vault --resource-group $group --enable-rbac-authorization false >/dev/null
  az keyvault set-policy --name $vault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
  az keyvault key create --name key --vault-name $vault >/dev/null
done
az keyvault update --name $closed --default-action Deny --bypass AzureServices >/dev/null
az acr create --resource-group $group --name $registry --identity $identity --sku Premium \
  --key-encryption-key https://$open.vault.azure.net/keys/key >/dev/null
login $registry
image make "$WORK/image"
push "$WORK/image" $registry app:v1

step "the user-assigned identity does not get through the firewall, though it has access and the bypass is on"
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry --identity $client \
  --key-encryption-key https://$closed.vault.azure.net/keys/key
pull_is_identical $registry app:v1 "$WORK/image"

step "1: enable the registry's system-assigned identity"
az acr identity assign --name $registry --identities [system] >/dev/null
system=$(az acr identity show --name $registry --query principalId --output tsv)

step "2: grant it access to the vault (a firewall does not stop the control plane)"
az keyvault set-policy --name $closed --object-id $system --key-permissions get unwrapKey wrapKey >/dev/null

step "3: without the bypass it is refused as well; enable the bypass"
az keyvault update --name $closed --bypass None >/dev/null
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry --identity [system] \
  --key-encryption-key https://$closed.vault.azure.net/keys/key
az keyvault update --name $closed --bypass AzureServices >/dev/null

step "4: rotate to the key inside the firewall"
az acr encryption rotate-key --name $registry --identity [system] \
  --key-encryption-key https://$closed.vault.azure.net/keys/key >/dev/null
equal "keyVaultProperties.identity" "$(encryption $registry | field keyVaultProperties.identity)" system
pull_is_identical $registry app:v1 "$WORK/image"

step "5: delete the vault outside the firewall"
az keyvault delete --name $open >/dev/null
pull_is_identical $registry app:v1 "$WORK/image"

step "the bypass taken away blocks the registry, given back it opens"
az keyvault update --name $closed --bypass None >/dev/null
pull_is_refused $registry app:v1
push_is_refused $registry
az keyvault update --name $closed --bypass AzureServices >/dev/null
pull_is_identical $registry app:v1 "$WORK/image"

step "a system-assigned identity in use cannot be taken off the registry"
refused "does not have access to identity" az acr identity remove --name $registry --identities [system]
pull_is_identical $registry app:v1 "$WORK/image"

done_with_suite
