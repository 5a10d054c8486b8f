# needs: az-current skopeo
# `az acr` commands for what is not emulated are refused and say so; none of them seems to succeed.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name limitsreg01 --resource-group rg-acr --sku Premium >/dev/null
R=(--registry limitsreg01)
absent() { refused "could not be found in the namespace 'Microsoft.ContainerRegistry'" "$@"; }


step "tasks"
T=("${R[@]}" --name task01)
absent az acr task create "${T[@]}" --cmd hello --context /dev/null
absent az acr task list "${R[@]}"
absent az acr task show "${T[@]}"
absent az acr task update "${T[@]}" --status Disabled
absent az acr task delete "${T[@]}" --yes
absent az acr task identity assign "${T[@]}"
absent az acr task identity show "${T[@]}"
absent az acr task identity remove "${T[@]}" --identities '[system]'
absent az acr task credential add "${T[@]}" --login-server other.azurecr.io --use-identity '[system]'
absent az acr task credential list "${T[@]}"
absent az acr task credential update "${T[@]}" --login-server other.azurecr.io --use-identity '[system]'
absent az acr task credential remove "${T[@]}" --login-server other.azurecr.io
absent az acr task timer add "${T[@]}" --timer-name daily --schedule '0 0 * * *'
absent az acr task timer list "${T[@]}"
absent az acr task timer update "${T[@]}" --timer-name daily --schedule '0 1 * * *'
absent az acr task timer remove "${T[@]}" --timer-name daily

step "runs, builds"
absent az acr task run "${T[@]}"
absent az acr task list-runs "${R[@]}"
absent az acr task show-run "${R[@]}" --run-id cf1
absent az acr task update-run "${R[@]}" --run-id cf1 --no-archive false
absent az acr task cancel-run "${R[@]}" --run-id cf1
refused "Could not get logs for ID: cf1" az acr task logs "${R[@]}" --run-id cf1 # az keeps our reason to itself
absent az acr taskrun list "${R[@]}"
absent az acr taskrun show "${R[@]}" --name run01
absent az acr taskrun logs "${R[@]}" --name run01
absent az acr taskrun delete "${R[@]}" --name run01 --yes
absent az acr run "${R[@]}" --cmd hello /dev/null
mkdir "$WORK/source"
echo 'FROM scratch' >"$WORK/source/Dockerfile"
absent az acr build "${R[@]}" --image app:v1 "$WORK/source"
absent az acr pack build "${R[@]}" --image app:v1 --builder builder:v1 "$WORK/source"

step "agent pools"
absent az acr agentpool create "${R[@]}" --name pool01 --tier S1
absent az acr agentpool list "${R[@]}"
absent az acr agentpool show "${R[@]}" --name pool01
absent az acr agentpool update "${R[@]}" --name pool01 --count 2
absent az acr agentpool delete "${R[@]}" --name pool01 --yes

step "connected registries"
C=("${R[@]}" --name connected01)
absent az acr connected-registry create "${C[@]}" --sync-token token01 --yes
absent az acr connected-registry list "${R[@]}"
absent az acr connected-registry show "${C[@]}"
absent az acr connected-registry update "${C[@]}" --log-level Debug
absent az acr connected-registry deactivate "${C[@]}" --yes
absent az acr connected-registry resync "${C[@]}"
absent az acr connected-registry list-client-tokens "${C[@]}"
absent az acr connected-registry get-settings "${C[@]}" --parent-protocol https
absent az acr connected-registry install info "${C[@]}" --parent-protocol https
absent az acr connected-registry install renew-credentials "${C[@]}" --parent-protocol https --yes
absent az acr connected-registry permissions show "${C[@]}"
absent az acr connected-registry permissions update "${C[@]}" --add app
absent az acr connected-registry repo "${C[@]}" --add app
absent az acr connected-registry delete "${C[@]}" --yes

# At the login server what is not there is a path that is not there.
nowhere() { refused "The requested data does not exist" "$@"; }

step "artifact streaming"
login limitsreg01
image make "$WORK/image"
push "$WORK/image" limitsreg01 app:v1
N=(--name limitsreg01)
nowhere az acr artifact-streaming create "${N[@]}" --image app:v1
nowhere az acr artifact-streaming show "${N[@]}" --repository app
nowhere az acr artifact-streaming update "${N[@]}" --repository app --enable-streaming true
nowhere az acr artifact-streaming operation show "${N[@]}" --repository app --id operation01
nowhere az acr artifact-streaming operation cancel "${N[@]}" --repository app --id operation01
refused "No operation found for image" az acr artifact-streaming operation show "${N[@]}" --image app:v1

step "the retired store of Helm charts"
echo chart >"$WORK/chart-1.0.0.tgz"
nowhere az acr helm list "${N[@]}"
nowhere az acr helm show "${N[@]}" chart
nowhere az acr helm push "${N[@]}" "$WORK/chart-1.0.0.tgz"
nowhere az acr helm delete "${N[@]}" chart --yes
equal "what any of this left behind" "$(az acr repository list "${N[@]}" --query 'join(`,`, @)' -o tsv)" app
done_with_suite
