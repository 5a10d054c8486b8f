# needs: az-current
# The vault's own commands of az: keys of each kind, import, backup, rotation, deletion; secrets. And Microsoft's
# Python client with its challenge check on, whose results an independent library checks.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-kv --location eastus >/dev/null
az keyvault create --name kvsuite --resource-group rg-kv --sku premium --enable-rbac-authorization false --retention-days 7 >/dev/null
principal=$(az keyvault show --name kvsuite --query 'properties.accessPolicies[0].objectId' -o tsv)
az keyvault set-policy --name kvsuite --object-id "$principal" --key-permissions all purge rotate --secret-permissions all purge >/dev/null

step "keys of each kind"
equal kty "$(az keyvault key create --vault-name kvsuite -n rsa --kty RSA --size 3072 --query key.kty -o tsv)" RSA
equal hsm "$(az keyvault key create --vault-name kvsuite -n hsm --kty RSA-HSM --query key.kty -o tsv)" RSA-HSM
for curve in P-256 P-384 P-521 P-256K; do
  equal curve "$(az keyvault key create --vault-name kvsuite -n "ec$curve" --kty EC --curve $curve --query key.crv -o tsv)" $curve
done
equal keys "$(az keyvault key list --vault-name kvsuite --query 'length(@)' -o tsv)" 6

step "an imported key is the same key"
openssl genrsa -out "$WORK/key.pem" 2048 2>/dev/null
az keyvault key import --vault-name kvsuite -n imported --pem-file "$WORK/key.pem" >/dev/null
az keyvault key download --vault-name kvsuite -n imported -f "$WORK/public.pem" >/dev/null
equal public "$(cat "$WORK/public.pem")" "$(openssl rsa -in "$WORK/key.pem" -pubout 2>/dev/null)"
value=$(openssl rand -base64 32)
cipher=$(az keyvault key encrypt --vault-name kvsuite -n imported -a RSA-OAEP-256 --value "$value" --data-type base64 --query result -o tsv)
plain=$(az keyvault key decrypt --vault-name kvsuite -n imported -a RSA-OAEP-256 --value "$cipher" --data-type base64 --query result -o tsv)
equal plaintext "$plain" "$value"

step "attributes, versions, rotation"
az keyvault key set-attributes --vault-name kvsuite -n rsa --enabled false >/dev/null
equal enabled "$(az keyvault key show --vault-name kvsuite -n rsa --query attributes.enabled -o tsv)" false
printf '{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P15D"},"action":{"type":"Rotate"}}],"attributes":{"expiryTime":"P30D"}}' >"$WORK/policy.json"
az keyvault key rotation-policy update --vault-name kvsuite -n imported --value "$WORK/policy.json" >/dev/null
equal actions "$(az keyvault key rotation-policy show --vault-name kvsuite -n imported --query 'length(lifetimeActions)' -o tsv)" 2
before=$(az keyvault key show --vault-name kvsuite -n imported --query key.kid -o tsv)
rotated=$(az keyvault key rotate --vault-name kvsuite -n imported --query key.kid -o tsv)
differ version "$before" "$rotated"
acrite clock advance 16d >/dev/null
differ version "$(az keyvault key show --vault-name kvsuite -n imported --query key.kid -o tsv)" "$rotated"
equal versions "$(az keyvault key list-versions --vault-name kvsuite -n imported --query 'length(@)' -o tsv)" 3

step "delete, recover, purge, restore"
az keyvault key backup --vault-name kvsuite -n imported -f "$WORK/backup" >/dev/null
az keyvault key delete --vault-name kvsuite -n imported >/dev/null
equal deleted "$(az keyvault key list-deleted --vault-name kvsuite --query '[0].name' -o tsv)" imported
refused "deleted but recoverable state" az keyvault key create --vault-name kvsuite -n imported
az keyvault key recover --vault-name kvsuite -n imported >/dev/null
az keyvault key delete --vault-name kvsuite -n imported >/dev/null
az keyvault key purge --vault-name kvsuite -n imported
az keyvault key restore --vault-name kvsuite -f "$WORK/backup" >/dev/null
equal versions "$(az keyvault key list-versions --vault-name kvsuite -n imported --query 'length(@)' -o tsv)" 3

step "secrets"
az keyvault secret set --vault-name kvsuite -n s --value one >/dev/null
az keyvault secret set --vault-name kvsuite -n s --value two >/dev/null
equal secret "$(az keyvault secret show --vault-name kvsuite -n s --query value -o tsv)" two
az keyvault secret delete --vault-name kvsuite -n s >/dev/null
az keyvault secret recover --vault-name kvsuite -n s >/dev/null
equal secret "$(az keyvault secret show --vault-name kvsuite -n s --query value -o tsv)" two

step "Microsoft's Python client, its challenge check on"
"$PYTHON" "$ACRITE_SUITES/keyvault.py" kvsuite
done_with_suite
