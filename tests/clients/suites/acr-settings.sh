# needs: az-current
# `az acr` from end to end, control plane: caches, network rules, policies, identities, private endpoints.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name settingsreg01 --resource-group rg-acr --sku Premium >/dev/null

step "cache rules and credential sets"
az acr credential-set create --registry settingsreg01 --name set01 --login-server docker.io \
  --username-id https://suitevault.vault.azure.net/secrets/user --password-id https://suitevault.vault.azure.net/secrets/password >/dev/null
equal health "$(az acr credential-set show --registry settingsreg01 --name set01 --query 'authCredentials[0].credentialHealth.status' -o tsv)" Unhealthy
az acr credential-set update --registry settingsreg01 --name set01 --password-id https://suitevault.vault.azure.net/secrets/other >/dev/null
equal sets "$(az acr credential-set list --registry settingsreg01 --query 'length(@)' -o tsv)" 1
az acr cache create --registry settingsreg01 --name rule01 --source-repo docker.io/library/ubuntu --target-repo ubuntu --cred-set set01 >/dev/null
match set "$(az acr cache show --registry settingsreg01 --name rule01 --query credentialSetResourceId -o tsv)" '.*/credentialSets/set01'
az acr cache update --registry settingsreg01 --name rule01 --remove-cred-set >/dev/null
equal set "$(az acr cache show --registry settingsreg01 --name rule01 --query credentialSetResourceId -o tsv)" ''
equal rules "$(az acr cache list --registry settingsreg01 --query 'length(@)' -o tsv)" 1
az acr cache delete --registry settingsreg01 --name rule01 --yes
az acr credential-set delete --registry settingsreg01 --name set01 --yes
equal rules "$(az acr cache list --registry settingsreg01 --query 'length(@)' -o tsv)" 0

step "network rules, policies, identities"
az acr network-rule add --name settingsreg01 --ip-address 203.0.113.7 >/dev/null
equal rules "$(az acr network-rule list --name settingsreg01 --query 'ipRules[0].ipAddressOrRange' -o tsv)" 203.0.113.7
az acr network-rule remove --name settingsreg01 --ip-address 203.0.113.7 >/dev/null
equal rules "$(az acr network-rule list --name settingsreg01 --query 'length(ipRules)' -o tsv)" 0
az acr config retention update --registry settingsreg01 --status enabled --days 3 --type UntaggedManifests >/dev/null
equal days "$(az acr config retention show --registry settingsreg01 --query days -o tsv)" 3
az acr config retention update --registry settingsreg01 --status disabled --type UntaggedManifests >/dev/null
az acr config soft-delete update --registry settingsreg01 --status enabled --days 5 --yes >/dev/null
equal days "$(az acr config soft-delete show --registry settingsreg01 --query retentionDays -o tsv)" 5
equal trust "$(az acr config content-trust show --registry settingsreg01 --query status -o tsv)" disabled
az acr config content-trust update --registry settingsreg01 --status disabled --yes >/dev/null
az acr config authentication-as-arm update --registry settingsreg01 --status disabled >/dev/null
equal arm "$(az acr config authentication-as-arm show --registry settingsreg01 --query status -o tsv)" disabled
az acr config authentication-as-arm update --registry settingsreg01 --status enabled >/dev/null
az acr identity assign --name settingsreg01 --identities '[system]' >/dev/null
match identity "$(az acr identity show --name settingsreg01 --query principalId -o tsv)" '[0-9a-f-]{36}'
az acr identity remove --name settingsreg01 --identities '[system]' >/dev/null
equal identity "$(az acr identity show --name settingsreg01 --query principalId -o tsv)" ''

step "private endpoints"
equal connections "$(az acr private-endpoint-connection list --registry-name settingsreg01 --query 'length(@)' -o tsv)" 0
C=(--registry-name settingsreg01 --name mine)
refused "could not be found" az acr private-endpoint-connection show "${C[@]}"
refused "could not be found" az acr private-endpoint-connection approve "${C[@]}"
refused "could not be found" az acr private-endpoint-connection reject "${C[@]}"
# On Azure a private endpoint of a network begins one; here a plain PUT does.
id=$(az acr show --name settingsreg01 --query id -o tsv)
endpoint=${id%/providers/*}/providers/Microsoft.Network/privateEndpoints/mine
az rest --method put --url "$id/privateEndpointConnections/mine?api-version=2025-11-01" --body \
  "{\"properties\": {\"privateEndpoint\": {\"id\": \"$endpoint\"}, \"privateLinkServiceConnectionState\": {\"status\": \"Pending\", \"description\": \"please\"}}}" >/dev/null
state() { az acr private-endpoint-connection show "${C[@]}" --query "privateLinkServiceConnectionState.join(' ', [status, description])" -o tsv; }
equal endpoint "$(az acr private-endpoint-connection show "${C[@]}" --query privateEndpoint.id -o tsv)" "$endpoint"
equal state "$(state)" "Pending please"
az acr private-endpoint-connection approve "${C[@]}" --description "you may" >/dev/null
equal state "$(state)" "Approved you may"
az acr private-endpoint-connection reject "${C[@]}" --description "no more" >/dev/null
equal state "$(state)" "Rejected no more"
equal connections "$(az acr private-endpoint-connection list --registry-name settingsreg01 --query '[].name' -o tsv)" mine
equal shown "$(az acr show --name settingsreg01 --query "privateEndpointConnections[].privateLinkServiceConnectionState.status" -o tsv)" Rejected
az acr update --name settingsreg01 --tags a=b >/dev/null
equal state "$(state)" "Rejected no more"
az acr private-endpoint-connection delete "${C[@]}"
equal connections "$(az acr private-endpoint-connection list --registry-name settingsreg01 --query 'length(@)' -o tsv)" 0
equal group "$(az acr private-link-resource list --name settingsreg01 --query '[0].properties.groupId || [0].groupId' -o tsv)" registry
done_with_suite
