# needs: az-current
# `az acr` commands for what is not emulated are refused and say so; none of them seems to succeed.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name limitsreg01 --resource-group rg-acr --sku Premium >/dev/null
R=(--registry limitsreg01)
absent() { refused "could not be found in the namespace 'Microsoft.ContainerRegistry'" "$@"; }

step "tasks and their runs"
absent az acr task list "${R[@]}"
absent az acr task show "${R[@]}" --name task01
absent az acr task create "${R[@]}" --name task01 --cmd hello --context /dev/null
absent az acr task list-runs "${R[@]}"
absent az acr task show-run "${R[@]}" --run-id cf1
absent az acr taskrun list "${R[@]}"
absent az acr taskrun show "${R[@]}" --name run01
absent az acr run "${R[@]}" --cmd hello /dev/null

step "agent pools"
absent az acr agentpool list "${R[@]}"
absent az acr agentpool show "${R[@]}" --name pool01
absent az acr agentpool create "${R[@]}" --name pool01 --tier S1

step "connected registries"
absent az acr connected-registry list "${R[@]}"
absent az acr connected-registry show "${R[@]}" --name connected01
done_with_suite
