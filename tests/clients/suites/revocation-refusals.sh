# needs: az-current skopeo
# What Azure refuses at creation, at rotation and afterwards, in its words; and that nothing has changed by it.
. "$ACRITE_SUITES/lib.sh"

group=rg-refusals
vault=vault$RANDOM
keys=https://$vault.vault.azure.net/keys
registry=refusing$RANDOM

step "a vault, two identities (one without access), an RSA key, an EC key"
az group create --name $group --location eastus >/dev/null
az identity create --resource-group $group --name id1 >"$WORK/id1.json"
az identity create --resource-group $group --name id2 >"$WORK/id2.json"
id1=$(field id <"$WORK/id1.json") client1=$(field clientId <"$WORK/id1.json")
id2=$(field id <"$WORK/id2.json") client2=$(field clientId <"$WORK/id2.json")
az keyvault create --name $vault --resource-group $group --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name $vault --object-id "$(field principalId <"$WORK/id1.json")" \
  --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault key create --name key --vault-name $vault >/dev/null

create() { # create NAME SKU IDENTITY KEY
  az acr create --resource-group $group --name $1 --sku $2 --identity $3 --key-encryption-key $4
}
not_created() { equal "the registries" "$(az acr list --resource-group $group --query '[].name' --output tsv)" ""; }

step "creation below Premium"
refused "The SKU Basic is not supported." create $registry Basic $id1 $keys/key
refused "The SKU Standard is not supported." create $registry Standard $id1 $keys/key
not_created

step "creation with an identity that may not use the key"
refused "Failed to access KeyId '$keys/key'" create $registry Premium $id2 $keys/key
refused "Verify that identity '$client2' has 'Get, Wrap Key, Unwrap Key' permission" create $registry Premium $id2 $keys/key
not_created

step "creation with a key that is not there"
refused "Failed to access KeyId" create $registry Premium $id1 $keys/nosuchkey
not_created

step "creation with an elliptic curve key"
if az keyvault key create --name curve --vault-name $vault --kty EC >/dev/null 2>&1; then
  refused "" create $registry Premium $id1 $keys/curve
else
  # Where the vault makes no such keys yet, it has to say so; and the registry refuses a key that is not there.
  refused "" az keyvault key create --name curve --vault-name $vault --kty EC
  refused "" create $registry Premium $id1 $keys/curve
fi
not_created

step "creation inside a closed firewall"
az keyvault update --name $vault --default-action Deny >/dev/null
refused "Failed to access KeyId" create $registry Premium $id1 $keys/key
az keyvault update --name $vault --default-action Allow >/dev/null
not_created

step "creation, at last"
create $registry Premium $id1 $keys/key >/dev/null
login $registry
image make "$WORK/image"
push "$WORK/image" $registry app:v1
unchanged() {
  az acr encryption show --name $registry >"$WORK/encryption.json"
  equal "keyIdentifier" "$(field keyVaultProperties.keyIdentifier <"$WORK/encryption.json")" "$keys/key"
  equal "keyVaultProperties.identity" "$(field keyVaultProperties.identity <"$WORK/encryption.json")" "$client1"
  pull_is_identical $registry app:v1 "$WORK/image"
}
unchanged

step "rotation with an identity that is not attached"
refused "does not have access to identity '$client2'" az acr encryption rotate-key --name $registry \
  --key-encryption-key $keys/key --identity $client2
refused "Try forcibly adding the identity to the registry $registry" az acr encryption rotate-key --name $registry \
  --key-encryption-key $keys/key --identity $id2
unchanged

step "rotation with an attached identity that may not use the key"
az acr identity assign --name $registry --identities $id2 >/dev/null
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry \
  --key-encryption-key $keys/key --identity $client2
unchanged

step "rotation to a key that is disabled, deleted, or not there"
az keyvault key create --name other --vault-name $vault --disabled true >/dev/null
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry --key-encryption-key $keys/other --identity $client1
az keyvault key delete --name other --vault-name $vault >/dev/null
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry --key-encryption-key $keys/other --identity $client1
refused "Failed to access KeyId" az acr encryption rotate-key --name $registry --key-encryption-key $keys/nosuchkey --identity $client1
unchanged

step "the identity of the encryption cannot be taken off the registry; the other one can"
az acr identity remove --name $registry --identities $id2 >/dev/null
refused "does not have access to identity '$client1' Try forcibly adding the identity to the registry $registry" \
  az acr identity remove --name $registry --identities $id1
match "the identities that are attached" "$(az acr identity show --name $registry)" ".*/userAssignedIdentities/id1.*"
unchanged

step "the identity whose removal was tried is not renewed any more: the key does not rotate, and after three months it has expired"
refused "does not have access to identity '$client1'" az acr encryption rotate-key --name $registry \
  --key-encryption-key $keys/other --identity $client1
unchanged
acrite clock advance 91d
login $registry
refused "The identity associated with the registry is inactive" pull $registry app:v1 "$WORK/inactive"
az acr identity assign --name $registry --identities $id1 >/dev/null
unchanged

step "the article's cure: assign it again, rotate to another identity, and then remove it"
az acr identity assign --name $registry --identities $id1 >/dev/null
az keyvault set-policy --name $vault --object-id "$(field principalId <"$WORK/id2.json")" \
  --key-permissions get unwrapKey wrapKey >/dev/null
az acr identity assign --name $registry --identities $id2 >/dev/null
az acr encryption rotate-key --name $registry --key-encryption-key $keys/key --identity $id2 >/dev/null
az acr identity remove --name $registry --identities $id1 >/dev/null
equal "keyVaultProperties.identity" "$(encryption $registry | field keyVaultProperties.identity)" "$client2"
pull_is_identical $registry app:v1 "$WORK/image"
az acr identity assign --name $registry --identities $id1 >/dev/null
az acr encryption rotate-key --name $registry --key-encryption-key $keys/key --identity $id1 >/dev/null
unchanged

step "encryption cannot be switched off, nor on afterwards, nor can the registry leave Premium; no content trust"
url=https://management.azure.com$(az acr show --name $registry --query id --output tsv)?api-version=2025-11-01
refused "" az rest --method patch --url "$url" --body '{"properties":{"encryption":{"status":"disabled"}}}'
refused "The SKU Basic is not supported." az acr update --name $registry --sku Basic
refused BlockedForEncryptionEnabledRegistry az rest --method patch --url "$url" \
  --body '{"properties":{"policies":{"trustPolicy":{"type":"Notary","status":"enabled"}}}}'
unchanged
az acr create --resource-group $group --name plain$registry --sku Premium >/dev/null
url=https://management.azure.com$(az acr show --name plain$registry --query id --output tsv)?api-version=2025-11-01
equal "a plain registry's encryption" "$(encryption plain$registry | field status)" disabled
refused "" az rest --method patch --url "$url" --body '{"identity":{"type":"UserAssigned","userAssignedIdentities":{"'$id1'":{}}},
  "properties":{"encryption":{"status":"enabled","keyVaultProperties":{"keyIdentifier":"'$keys/key'","identity":"'$client1'"}}}}'
equal "a plain registry's encryption" "$(encryption plain$registry | field status)" disabled

done_with_suite
