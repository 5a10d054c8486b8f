# needs: az-current skopeo
# `az acr check-health`, which looks a registry's name up itself before it goes through the proxy.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-health --location eastus >/dev/null
az identity create --resource-group rg-health --name id1 >"$WORK/identity.json"
az keyvault create --name healthvault01 --resource-group rg-health --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name healthvault01 --object-id "$(field principalId <"$WORK/identity.json")" --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault key create --name key --vault-name healthvault01 >/dev/null
az acr create --resource-group rg-health --name healthreg01 --identity "$(field id <"$WORK/identity.json")" --sku Premium \
  --key-encryption-key https://healthvault01.vault.azure.net/keys/key >/dev/null
login healthreg01
image make "$WORK/image"
push "$WORK/image" healthreg01 app:v1

# A hosts file of its own for one command, which nothing else on the machine sees.
printf '127.0.0.1 localhost healthreg01.azurecr.io\n' >"$WORK/hosts"
health() { # health ARGUMENT...: what check-health says of the registry where its name can be looked up
  AZURE_CORE_ONLY_SHOW_ERRORS=false unshare --mount --map-root-user sh -c \
    'mount --bind "$1" /etc/hosts && shift && exec az acr check-health "$@"' sh "$WORK/hosts" \
    --name healthreg01 --yes --ignore-errors "$@" 2>&1
}
says() { # says ANSWER LINE
  [[ $1 == *"$2"* ]] || fail "check-health did not say '$2', but: $1"
  CHECKS=$((CHECKS + 1))
}

step "a healthy registry"
# What it says of docker and helm depends on the machine; the rest is ours.
answer=$(health)
says "$answer" "DNS lookup to healthreg01.azurecr.io at IP 127.0.0.1 : OK"
says "$answer" "Challenge endpoint https://healthreg01.azurecr.io/v2/ : OK"
says "$answer" "Fetch refresh token for registry 'healthreg01.azurecr.io' : OK"
says "$answer" "Fetch access token for registry 'healthreg01.azurecr.io' : OK"
[[ $answer != *CMK_ERROR* && $answer != *CONNECTIVITY* ]] || fail "check-health found a fault: $answer"

step "a repository of it"
says "$(health --repository app)" "Fetch access token for repository 'app' in registry 'healthreg01.azurecr.io' : OK"

step "an address that the registry's firewall does not know"
az acr update --name healthreg01 --default-action Deny >/dev/null
says "$(health)" CONNECTIVITY_FORBIDDEN_ERROR
az acr update --name healthreg01 --default-action Allow >/dev/null

step "the identity of the encryption is gone"
az identity delete --resource-group rg-health --name id1
says "$(health)" "The identity used for registry 'healthreg01' encryption doesn't exist."

step "without the name in any hosts file: as on a machine without Azure's DNS"
says "$(az acr check-health --name healthreg01 --yes --ignore-errors 2>&1)" CONNECTIVITY_DNS_ERROR
done_with_suite
