# Microsoft's article "Encrypt registry using a customer-managed key", with its commands in its order and as they
# stand there; only what stands in angle brackets there is a variable here.
#
#   BRANCH=policy   access to the vault by an access policy
#   BRANCH=rbac     access to the vault by a role
#   VAULT_OPTIONS   what this az needs beyond the article to make a vault of that kind
. "$ACRITE_SUITES/lib.sh"

resource_group=myresourcegroup
managed_identity=myidentityname
vault=mykeyvault$RANDOM
key=mykey
registry=myregistry$RANDOM

# What the article does to give an identity access to the vault, and to take it away.
grant() { # grant PRINCIPAL-ID
  if [ $BRANCH = policy ]; then
    az keyvault set-policy \
      --resource-group $resource_group \
      --name $vault \
      --object-id $1 \
      --key-permissions get unwrapKey wrapKey >/dev/null
  else
    az role assignment create --assignee $1 \
      --role "Key Vault Crypto Service Encryption User" \
      --scope $keyvaultID >/dev/null
  fi
}
revoke() { # revoke PRINCIPAL-ID
  if [ $BRANCH = policy ]; then
    az keyvault delete-policy \
      --resource-group $resource_group \
      --name $vault \
      --object-id $1 >/dev/null
  else
    az role assignment delete --assignee $1 \
      --role "Key Vault Crypto Service Encryption User" \
      --scope $keyvaultID >/dev/null
  fi
}

step "create a resource group"
az group create --name $resource_group --location eastus >/dev/null

step "create a user-assigned managed identity"
az identity create \
  --resource-group $resource_group \
  --name $managed_identity >"$WORK/identity.json"
identityID=$(az identity show --resource-group $resource_group --name $managed_identity --query 'id' --output tsv)
identityPrincipalID=$(az identity show --resource-group $resource_group --name $managed_identity --query 'principalId' --output tsv)
identityClientID=$(field clientId <"$WORK/identity.json")
equal "the identity's id" "$identityID" "$(field id <"$WORK/identity.json")"
equal "the identity's principal id" "$identityPrincipalID" "$(field principalId <"$WORK/identity.json")"
match "the identity's client id" "$identityClientID" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
differ "the client id beside the principal id" "$identityClientID" "$identityPrincipalID"

step "create a key vault"
az keyvault create --name $vault \
  --resource-group $resource_group \
  --enable-purge-protection $VAULT_OPTIONS >"$WORK/vault.json"
equal "the vault's purge protection" "$(field properties.enablePurgeProtection <"$WORK/vault.json")" true
keyvaultID=$(az keyvault show --resource-group $resource_group --name $vault --query 'id' --output tsv)

step "enable key vault access"
grant $identityPrincipalID
if [ $BRANCH = rbac ]; then
  # The vault is a role vault, so whoever makes the key needs a role as well; its owner has none by that.
  refused ForbiddenByRbac az keyvault key create --name $key --vault-name $vault
  az role assignment create --assignee $AZURE_CLIENT_ID --role "Key Vault Crypto Officer" --scope $keyvaultID >/dev/null
fi

step "create a key and get its id"
az keyvault key create \
  --name $key \
  --vault-name $vault >"$WORK/key.json"
equal "the key's type" "$(field key.kty <"$WORK/key.json")" RSA
keyID=$(az keyvault key show \
  --name $key \
  --vault-name $vault \
  --query 'key.kid' --output tsv)
firstVersion=$keyID
match "the key's id" "$keyID" "https://$vault\.vault\.azure\.net/keys/$key/[0-9a-f]{32}"
keyID=$(echo $keyID | sed -e "s/\/[^/]*$//")
equal "the key's id without its version" "$keyID" "https://$vault.vault.azure.net/keys/$key"

step "create a registry with a customer-managed key"
az acr create \
  --resource-group $resource_group \
  --name $registry \
  --identity $identityID \
  --key-encryption-key $keyID \
  --sku Premium >"$WORK/registry.json"
equal "provisioningState" "$(field provisioningState <"$WORK/registry.json")" Succeeded

step "show the encryption status"
az acr encryption show --name $registry >"$WORK/encryption.json"
cat "$WORK/encryption.json"
equal "status" "$(field status <"$WORK/encryption.json")" enabled
equal "keyVaultProperties.identity" "$(field keyVaultProperties.identity <"$WORK/encryption.json")" "$identityClientID"
equal "keyIdentifier" "$(field keyVaultProperties.keyIdentifier <"$WORK/encryption.json")" "$keyID"
equal "keyRotationEnabled" "$(field keyVaultProperties.keyRotationEnabled <"$WORK/encryption.json")" true
equal "versionedKeyIdentifier" "$(field keyVaultProperties.versionedKeyIdentifier <"$WORK/encryption.json")" "$firstVersion"
firstRotation=$(field keyVaultProperties.lastKeyRotationTimestamp <"$WORK/encryption.json")
match "lastKeyRotationTimestamp" "$firstRotation" '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(\+00:00|Z)'
equal "the fields that it prints" "$("$PYTHON" -c '
import json, sys
shown = json.load(sys.stdin)
print(*sorted(shown), "/", *sorted(shown["keyVaultProperties"]))' <"$WORK/encryption.json")" \
  "keyVaultProperties status / identity keyIdentifier keyRotationEnabled lastKeyRotationTimestamp versionedKeyIdentifier"

step "use the registry: push and pull"
login $registry
image make "$WORK/image"
push "$WORK/image" $registry team/app:v1
pull_is_identical $registry team/app:v1 "$WORK/image"
equal "the repositories" "$(az acr repository list --name $registry --output tsv)" team/app

step "a new version of the key: nothing happens yet"
az keyvault key create \
  --name $key \
  --vault-name $vault >"$WORK/key.json"
secondVersion=$(field key.kid <"$WORK/key.json")
differ "the key's newest version" "$secondVersion" "$firstVersion"
equal "the version in use" "$(in_use $registry)" "$firstVersion"

step "within the hour the registry moves to the new version by itself"
acrite clock advance 61m
az acr encryption show --name $registry >"$WORK/encryption.json"
equal "versionedKeyIdentifier" "$(field keyVaultProperties.versionedKeyIdentifier <"$WORK/encryption.json")" "$secondVersion"
equal "keyIdentifier" "$(field keyVaultProperties.keyIdentifier <"$WORK/encryption.json")" "$keyID"
differ "lastKeyRotationTimestamp" "$(field keyVaultProperties.lastKeyRotationTimestamp <"$WORK/encryption.json")" "$firstRotation"
login $registry
pull_is_identical $registry team/app:v1 "$WORK/image"

step "manual rotation to a version, with the client id of the user-assigned identity"
az keyvault key create --name $key --vault-name $vault >"$WORK/key.json"
thirdVersion=$(field key.kid <"$WORK/key.json")
az acr encryption rotate-key \
  --name $registry \
  --key-encryption-key $thirdVersion \
  --identity $identityClientID >/dev/null
az acr encryption show --name $registry >"$WORK/encryption.json"
equal "versionedKeyIdentifier" "$(field keyVaultProperties.versionedKeyIdentifier <"$WORK/encryption.json")" "$thirdVersion"
equal "keyIdentifier" "$(field keyVaultProperties.keyIdentifier <"$WORK/encryption.json")" "$thirdVersion"
equal "keyRotationEnabled" "$(field keyVaultProperties.keyRotationEnabled <"$WORK/encryption.json")" false
pull_is_identical $registry team/app:v1 "$WORK/image"

step "a registry that was given a version stays on it"
az keyvault key create --name $key --vault-name $vault >"$WORK/key.json"
fourthVersion=$(field key.kid <"$WORK/key.json")
acrite clock advance 61m
equal "the version in use" "$(in_use $registry)" "$thirdVersion"

step "manual rotation without a version, with the resource id of the identity, turns automatic rotation on"
az acr encryption rotate-key \
  --name $registry \
  --key-encryption-key $keyID \
  --identity $identityID >/dev/null
az acr encryption show --name $registry >"$WORK/encryption.json"
equal "versionedKeyIdentifier" "$(field keyVaultProperties.versionedKeyIdentifier <"$WORK/encryption.json")" "$fourthVersion"
equal "keyRotationEnabled" "$(field keyVaultProperties.keyRotationEnabled <"$WORK/encryption.json")" true
equal "keyVaultProperties.identity" "$(field keyVaultProperties.identity <"$WORK/encryption.json")" "$identityClientID"

step "the article's <principal-id-user-assigned-identity>, taken by its letter, is refused as on Azure"
refused "does not have access to identity" az acr encryption rotate-key \
  --name $registry \
  --key-encryption-key $keyID \
  --identity $identityPrincipalID
equal "keyVaultProperties.identity" "$(encryption $registry | field keyVaultProperties.identity)" "$identityClientID"

step "the system-assigned identity"
az acr identity assign --name $registry --identities [system] >/dev/null
systemPrincipalID=$(az acr identity show --name $registry --query principalId --output tsv)
match "the system identity's principal id" "$systemPrincipalID" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
refused "Failed to access KeyId" az acr encryption rotate-key \
  --name $registry \
  --key-encryption-key $keyID \
  --identity [system]
grant $systemPrincipalID
az acr encryption rotate-key \
  --name $registry \
  --key-encryption-key $keyID \
  --identity [system] >/dev/null
equal "keyVaultProperties.identity" "$(encryption $registry | field keyVaultProperties.identity)" system
pull_is_identical $registry team/app:v1 "$WORK/image"

step "back to the user-assigned identity"
az acr encryption rotate-key --name $registry --key-encryption-key $keyID --identity $identityClientID >/dev/null
equal "keyVaultProperties.identity" "$(encryption $registry | field keyVaultProperties.identity)" "$identityClientID"
pull_is_identical $registry team/app:v1 "$WORK/image"

step "revoke the key"
revoke $identityPrincipalID
pull_is_refused $registry team/app:v1
push_is_refused $registry
equal "status, which shows nothing of it" "$(encryption $registry | field status)" enabled
refused "Failed to access KeyId" az acr encryption rotate-key \
  --name $registry --key-encryption-key $keyID --identity $identityClientID

step "give access back"
grant $identityPrincipalID
pull_is_identical $registry team/app:v1 "$WORK/image"
push "$WORK/unseen" $registry unseen:v1
pull_is_identical $registry unseen:v1 "$WORK/unseen"

done_with_suite
