# needs: az-current skopeo
# Every way in which a registry loses its key, and how it gets its data back, byte for byte.
. "$ACRITE_SUITES/lib.sh"

group=rg-routes
policies=vaultp$RANDOM # a vault with access policies
roles=vaultr$RANDOM    # a vault with roles
ROLE="Key Vault Crypto Service Encryption User"

step "a registry on each kind of vault"
az group create --name $group --location eastus >/dev/null
az identity create --resource-group $group --name id1 >"$WORK/identity.json"
identity=$(field id <"$WORK/identity.json")
principal=$(field principalId <"$WORK/identity.json")
client=$(field clientId <"$WORK/identity.json")
az keyvault create --name $policies --resource-group $group --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name $policies --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault create --name $roles --resource-group $group >"$WORK/vault.json"
rolesID=$(field id <"$WORK/vault.json")
az role assignment create --assignee $AZURE_CLIENT_ID --role "Key Vault Crypto Officer" --scope $rolesID >/dev/null
az role assignment create --assignee $principal --role "$ROLE" --scope $rolesID >/dev/null
v1=$(az keyvault key create --name key --vault-name $policies --query key.kid --output tsv)
az keyvault key create --name key --vault-name $roles >/dev/null
regp=regp$RANDOM regr=regr$RANDOM
az acr create --resource-group $group --name $regp --identity $identity --sku Premium \
  --key-encryption-key https://$policies.vault.azure.net/keys/key >/dev/null
az acr create --resource-group $group --name $regr --identity $identity --sku Premium \
  --key-encryption-key https://$roles.vault.azure.net/keys/key >/dev/null
image make "$WORK/image"
login $regr && tokenr=$TOKEN
push "$WORK/image" $regr app:v1
login $regp && tokenp=$TOKEN
push "$WORK/image" $regp app:v1

works() { pull_is_identical $1 app:v1 "$WORK/image"; }
blocked() { pull_is_refused $1 app:v1; push_is_refused $1; }
works $regp

step "access policy removed, and set again"
az keyvault delete-policy --name $policies --object-id $principal >/dev/null
blocked $regp
az keyvault set-policy --name $policies --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
works $regp

step "access policy without unwrapKey, and whole again"
az keyvault set-policy --name $policies --object-id $principal --key-permissions get wrapKey >/dev/null
pull_is_refused $regp app:v1
az keyvault set-policy --name $policies --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
works $regp

step "role assignment deleted, and created again"
TOKEN=$tokenr
works $regr
az role assignment delete --assignee $principal --role "$ROLE" --scope $rolesID >/dev/null
blocked $regr
az role assignment create --assignee $principal --role "$ROLE" --scope $rolesID >/dev/null
works $regr
TOKEN=$tokenp

step "key disabled, and enabled"
az keyvault key set-attributes --vault-name $policies --name key --enabled false >/dev/null
blocked $regp
az keyvault key set-attributes --vault-name $policies --name key --enabled true >/dev/null
works $regp

step "the version in use disabled, and enabled; another version's state does not matter"
v2=$(az keyvault key create --name key --vault-name $policies --query key.kid --output tsv)
equal "the version in use" "$(in_use $regp)" "$v1"
az keyvault key set-attributes --id $v2 --enabled false >/dev/null
works $regp
az keyvault key set-attributes --id $v1 --enabled false >/dev/null
blocked $regp
az keyvault key set-attributes --id $v1 --enabled true >/dev/null
works $regp
az keyvault key set-attributes --id $v2 --enabled true >/dev/null

step "key soft-deleted, and recovered"
az keyvault key delete --vault-name $policies --name key >/dev/null
blocked $regp
az keyvault key recover --vault-name $policies --name key >/dev/null
works $regp
equal "the version in use" "$(in_use $regp)" "$v1"

step "vault firewall closed, and opened"
az keyvault update --name $policies --default-action Deny >/dev/null
blocked $regp
refused ForbiddenByFirewall az keyvault key show --vault-name $policies --name key
az keyvault update --name $policies --default-action Allow >/dev/null
works $regp

step "vault deleted, and recovered"
az keyvault delete --name $policies >/dev/null
blocked $regp
az keyvault recover --name $policies >/dev/null
works $regp

step "role vault deleted, and recovered: its role assignments do not come back with it"
TOKEN=$tokenr
az keyvault delete --name $roles >/dev/null
blocked $regr
az keyvault recover --name $roles >/dev/null
pull_is_refused $regr app:v1
az role assignment create --assignee $principal --role "$ROLE" --scope $rolesID >/dev/null
works $regr
TOKEN=$tokenp

step "an expired key is no revocation: what is there can be read, but nothing rotates to it"
az keyvault key create --name ageing --vault-name $policies >/dev/null
az acr encryption rotate-key --name $regp --identity $client \
  --key-encryption-key https://$policies.vault.azure.net/keys/ageing >/dev/null
az keyvault key set-attributes --vault-name $policies --name ageing \
  --expires "$(date -u -d '+2 hours' +%Y-%m-%dT%H:%M:%SZ)" >/dev/null
acrite clock advance 3h
login $regp
works $regp
refused "Failed to access KeyId" az acr encryption rotate-key --name $regp --identity $client \
  --key-encryption-key https://$policies.vault.azure.net/keys/ageing
az acr encryption rotate-key --name $regp --identity $client \
  --key-encryption-key https://$policies.vault.azure.net/keys/key >/dev/null
works $regp

step "key purged: the data is lost for good, and the registry can still be deleted"
az keyvault create --name lost$regp --resource-group $group --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name lost$regp --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
# What az gives its user, "all", leaves out purge, as on Azure.
me=$(az ad sp show --id $AZURE_CLIENT_ID --query id --output tsv)
az keyvault set-policy --name lost$regp --object-id $me --key-permissions all purge >/dev/null
az keyvault key create --name key --vault-name lost$regp >/dev/null
az acr encryption rotate-key --name $regp --identity $client \
  --key-encryption-key https://lost$regp.vault.azure.net/keys/key >/dev/null
works $regp
az keyvault key delete --vault-name lost$regp --name key >/dev/null
az keyvault key purge --vault-name lost$regp --name key >/dev/null
blocked $regp
az keyvault key create --name key --vault-name lost$regp >/dev/null
pull_is_refused $regp app:v1
az acr delete --name $regp --yes
equal "the registries that are left" "$(az acr list --query '[].name' --output tsv)" $regr

step "identity deleted: one of the same name is another principal, so it stays refused"
login $regr
works $regr
az identity delete --resource-group $group --name id1
blocked $regr
az identity create --resource-group $group --name id1 >"$WORK/identity.json"
newPrincipal=$(field principalId <"$WORK/identity.json")
differ "the principal id" "$newPrincipal" "$principal"
az role assignment create --assignee $newPrincipal --role "$ROLE" --scope $rolesID >/dev/null
pull_is_refused $regr app:v1
refused "" az acr encryption rotate-key --name $regr --identity $client \
  --key-encryption-key https://$roles.vault.azure.net/keys/key
pull_is_refused $regr app:v1
equal "status, which shows nothing of it" "$(encryption $regr | field status)" enabled

step "cured by another identity: attached beside the lost one, rotated to, and the lost one taken off"
az identity create --resource-group $group --name id2 >"$WORK/identity2.json"
principal2=$(field principalId <"$WORK/identity2.json")
az role assignment create --assignee $principal2 --role "$ROLE" --scope $rolesID >/dev/null
az acr identity assign --name $regr --identities "$(field id <"$WORK/identity2.json")" >/dev/null
pull_is_refused $regr app:v1
az acr encryption rotate-key --name $regr --identity "$(field clientId <"$WORK/identity2.json")" \
  --key-encryption-key https://$roles.vault.azure.net/keys/key >/dev/null
works $regr
az acr identity remove --name $regr --identities $identity >/dev/null
works $regr

done_with_suite
