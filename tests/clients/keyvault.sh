# Sourced by the keyvault-* suites of the SDKs after lib.sh: a vault made over ARM with curl alone, and the check of
# what the server signed and wrapped by an independent library.
arm() { # arm METHOD PATH [BODY]
  curl -fsS -X "$1" -H "Authorization: Bearer $ARM_TOKEN" -H 'Content-Type: application/json' \
    "https://management.azure.com$2?api-version=2023-07-01" ${3:+--data "$3"}
}
make_vault() { # make_vault NAME: with access policies in which the developer may do everything
  ARM_TOKEN=$(curl -fsS "https://login.microsoftonline.com/$AZURE_TENANT_ID/oauth2/v2.0/token" \
    -d grant_type=client_credentials -d "client_id=$AZURE_CLIENT_ID" -d "client_secret=$AZURE_CLIENT_SECRET" \
    --data-urlencode scope=https://management.azure.com/.default | field access_token)
  local object group=/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/rg-sdk
  object=$(cut -d. -f2 <<<"$ARM_TOKEN" | "$PYTHON" -c '
import base64, json, sys
print(json.loads(base64.urlsafe_b64decode(sys.stdin.read().strip() + "=="))["oid"])')
  arm PUT "$group" '{"location":"eastus"}' >/dev/null
  arm PUT "$group/providers/Microsoft.KeyVault/vaults/$1" '{"location":"eastus","properties":{"tenantId":"'"$AZURE_TENANT_ID"'",
    "sku":{"family":"A","name":"premium"},"enableRbacAuthorization":false,"accessPolicies":[{"tenantId":"'"$AZURE_TENANT_ID"'",
    "objectId":"'"$object"'","permissions":{"keys":["all","purge","rotate"],"secrets":["all","purge"]}}]}}' >/dev/null
  VAULT=https://$1.vault.azure.net
}
verified() { # verified [PRIVATE.PEM] <LINES: each line of JSON that a client printed holds up
  local count
  count=$("$PYTHON" "$ACRITE_SUITES/keyvault.check.py" "$@") || fail "what the server signed or wrapped does not hold up"
  [ "$count" -gt 0 ] || fail "the client printed nothing to verify"
  CHECKS=$((CHECKS + count))
}
