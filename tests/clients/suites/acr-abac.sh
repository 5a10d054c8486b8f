# needs: az-current skopeo
# Rights per repository: a registry with `--role-assignment-mode rbac-abac`, and roles with conditions.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-abac --location eastus >/dev/null
az acr create --name abacreg01 --resource-group rg-abac --sku Premium --role-assignment-mode rbac-abac >/dev/null
scope=$(az acr show --name abacreg01 --query id -o tsv)
me=$(az ad sp list --query "[?appId=='$AZURE_CLIENT_ID'].id | [0]" -o tsv)
equal mode "$(az acr show --name abacreg01 --query roleAssignmentMode -o tsv)" AbacRepositoryPermissions

step "the Owner has no right in the content until given one"
refused "" az acr login --name abacreg01 --expose-token
az role assignment create --assignee-object-id "$me" --assignee-principal-type ServicePrincipal \
  --role "Container Registry Repository Contributor" --scope "$scope" >/dev/null
login abacreg01
image make "$WORK/image"
push "$WORK/image" abacreg01 team-a/app:v1
push "$WORK/image" abacreg01 team-b/app:v1

step "a role with the condition that the portal writes"
az ad sp create-for-rbac --name team-a >"$WORK/team.json"
app=$(field appId <"$WORK/team.json") password=$(field password <"$WORK/team.json")
actions='Microsoft.ContainerRegistry/registries/repositories'
condition="((!(ActionMatches{'$actions/content/read'}) AND !(ActionMatches{'$actions/content/write'}) AND !(ActionMatches{'$actions/metadata/read'}) AND !(ActionMatches{'$actions/metadata/write'})) OR (@Request[$actions:name] StringStartsWithIgnoreCase 'team-a/'))"
refused "The given role assignment condition is invalid." az role assignment create --assignee "$app" \
  --role "Container Registry Repository Writer" --scope "$scope" --condition "(${condition}" --condition-version 2.0
az role assignment create --assignee "$app" --role "Container Registry Repository Writer" --scope "$scope" \
  --condition "$condition" --condition-version 2.0 --description "team-a" >"$WORK/made.json"
equal condition "$(field condition <"$WORK/made.json")" "$condition"
equal listed "$(az role assignment list --assignee "$app" --scope "$scope" --query "[0].join(' in version ', [condition, conditionVersion])" -o tsv)" \
  "$condition in version 2.0"

step "its service principal pulls and pushes in its own repositories only"
as_team() { skopeo --insecure-policy copy --quiet --preserve-digests "--$1-creds" "$app:$password" "${@:2}"; }
as_team src docker://abacreg01.azurecr.io/team-a/app:v1 "oci:$WORK/pulled:image"
image same "$WORK/image" "$WORK/pulled"
as_team dest "oci:$WORK/image:image" docker://abacreg01.azurecr.io/team-a/new:v1
refused "" as_team src docker://abacreg01.azurecr.io/team-b/app:v1 "oci:$WORK/refused:image"
refused "" as_team dest "oci:$WORK/image:image" docker://abacreg01.azurecr.io/team-b/new:v1
equal team-b "$(az acr repository show-tags --name abacreg01 --repository team-b/app --query 'join(`,`, @)' -o tsv)" v1

step "and az, signed in as that service principal"
az role assignment create --assignee "$app" --role Reader --scope "$scope" >/dev/null # to see the registry itself
own=$AZURE_CONFIG_DIR
export AZURE_CONFIG_DIR=$WORK/as-team
az login --service-principal --username "$app" --password "$password" --tenant "$AZURE_TENANT_ID" >/dev/null
equal tags "$(az acr repository show-tags --name abacreg01 --repository team-a/new --query 'join(`,`, @)' -o tsv)" v1
refused "" az acr repository show-tags --name abacreg01 --repository team-b/app
refused "" az acr repository list --name abacreg01
refused "" az acr repository delete --name abacreg01 --repository team-a/new --yes
AZURE_CONFIG_DIR=$own az role assignment create --assignee "$app" --role "Container Registry Repository Catalog Lister" \
  --scope "$scope" >/dev/null
equal catalog "$(az acr repository list --name abacreg01 --query 'join(`,`, @)' -o tsv)" team-a/app,team-a/new,team-b/app
done_with_suite
