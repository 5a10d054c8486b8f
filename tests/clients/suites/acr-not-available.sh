# needs: az-current skopeo
# `az acr` commands for what is not emulated are refused and say so; none of them seems to succeed.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name limitsreg01 --resource-group rg-acr --sku Premium >/dev/null
R=(--registry limitsreg01)
absent() { refused "could not be found in the namespace 'Microsoft.ContainerRegistry'" "$@"; }

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
