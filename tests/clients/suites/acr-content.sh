# needs: az-current skopeo
# `az acr` from end to end, content: sign-in, repositories, manifests, import, and a webhook told of a push.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name contentreg01 --resource-group rg-acr --sku Premium >/dev/null
az acr create --name contentreg02 --resource-group rg-acr --sku Premium >/dev/null
az acr webhook create --registry contentreg01 --name hook01 --uri http://127.0.0.1:9/ --actions push delete >/dev/null
login contentreg01
image make "$WORK/image"
push "$WORK/image" contentreg01 app:v1
push "$WORK/image" contentreg01 app:v2

step "repositories"
equal repositories "$(az acr repository list --name contentreg01 --query '[0]' -o tsv)" app
equal tags "$(az acr repository show-tags --name contentreg01 --repository app --query 'join(`,`, @)' -o tsv)" v1,v2
equal manifests "$(az acr repository show-manifests --name contentreg01 --repository app --query 'length(@)' -o tsv 2>/dev/null)" 1
equal count "$(az acr repository show --name contentreg01 --repository app --query tagCount -o tsv)" 2
az acr repository update --name contentreg01 --image app:v2 --delete-enabled false >/dev/null
refused "" az acr repository untag --name contentreg01 --image app:v2
az acr repository update --name contentreg01 --image app:v2 --delete-enabled true >/dev/null
az acr repository untag --name contentreg01 --image app:v2
equal tags "$(az acr repository show-tags --name contentreg01 --repository app --query 'join(`,`, @)' -o tsv)" v1

step "manifests"
equal type "$(az acr manifest show --registry contentreg01 --name app:v1 --query schemaVersion -o tsv)" 2
equal manifests "$(az acr manifest list --registry contentreg01 --name app --query 'length(@)' -o tsv)" 1
equal metadata "$(az acr manifest list-metadata --registry contentreg01 --name app --query '[0].tags[0]' -o tsv)" v1
digest=$(az acr manifest show-metadata --registry contentreg01 --name app:v1 --query digest -o tsv)
az acr manifest update-metadata --registry contentreg01 --name "app:v1" --write-enabled false >/dev/null
equal locked "$(az acr manifest show-metadata --registry contentreg01 --name app:v1 --query changeableAttributes.writeEnabled -o tsv)" false
az acr manifest update-metadata --registry contentreg01 --name "app:v1" --write-enabled true >/dev/null
# The commands' old names, which az still takes.
equal metadata "$(az acr manifest metadata list --registry contentreg01 --name app --query '[0].tags[0]' -o tsv)" v1
az acr manifest metadata update --registry contentreg01 --name app:v1 --list-enabled false >/dev/null
equal listed "$(az acr manifest metadata show --registry contentreg01 --name app:v1 --query changeableAttributes.listEnabled -o tsv)" false
az acr manifest metadata update --registry contentreg01 --name app:v1 --list-enabled true >/dev/null
equal referrers "$(az acr manifest list-referrers --registry contentreg01 --name "app@$digest" --query 'length(manifests || referrers || references || `[]`)' -o tsv)" 0

step "import"
az acr import --name contentreg02 --source contentreg01.azurecr.io/app:v1 --image copy:v1 >/dev/null
equal digest "$(az acr manifest show-metadata --registry contentreg02 --name copy:v1 --query digest -o tsv)" "$digest"
refused "already exists in target registry" az acr import --name contentreg02 --source contentreg01.azurecr.io/app:v1 --image copy:v1
az acr import --name contentreg02 --source contentreg01.azurecr.io/app:v1 --image copy:v1 --force >/dev/null
az acr import --name contentreg02 --registry contentreg01 --source "app@$digest" --repository plain >/dev/null
equal repositories "$(az acr repository list --name contentreg02 --query 'join(`,`, @)' -o tsv)" copy,plain

step "the login server of one region, and its data endpoint"
az acr replication create --registry contentreg02 --location westus >/dev/null
az acr update --name contentreg02 --regional-endpoints enabled --data-endpoint-enabled true >/dev/null
login contentreg02
skopeo --insecure-policy copy --quiet --preserve-digests --src-creds "$AAD_USER:$TOKEN" \
  docker://contentreg02.westus.geo.azurecr.io/copy:v1 "oci:$WORK/regional:image"
image same "$WORK/image" "$WORK/regional"
refused "" skopeo --insecure-policy inspect --creds "$AAD_USER:$TOKEN" docker://contentreg02.northeurope.geo.azurecr.io/copy:v1

step "deletion, and what the webhook was told"
az acr manifest delete --registry contentreg01 --name "app@$digest" --yes >/dev/null
az acr repository delete --name contentreg02 --repository plain --yes >/dev/null
equal repositories "$(az acr repository list --name contentreg02 --query 'join(`,`, @)' -o tsv)" copy
told=$(az acr webhook list-events --registry contentreg01 --name hook01 --query '[].eventRequestMessage.content.action | join(`,`, @)' -o tsv)
equal told "$told" delete,push,push

step "soft delete: what was deleted is listed, and comes back with the same bytes"
az acr create --name contentreg03 --resource-group rg-acr --sku Premium >/dev/null
az acr config soft-delete update --registry contentreg03 --status enabled --days 7 --yes >/dev/null
equal days "$(az acr config soft-delete show --registry contentreg03 --query retentionDays -o tsv)" 7
login contentreg03
push "$WORK/image" contentreg03 app:v1
push "$WORK/image" contentreg03 other/app:v1
equal deleted "$(az acr repository list-deleted --name contentreg03 -o tsv)" ''
az acr repository delete --name contentreg03 --image app:v1 --yes >/dev/null
refused "" pull contentreg03 app:v1 "$WORK/gone"
equal deleted "$(az acr repository list-deleted --name contentreg03 -o tsv)" app
equal deleted "$(az acr manifest list-deleted --registry contentreg03 --name app --query '[].digest' -o tsv)" "$digest"
equal tags "$(az acr manifest list-deleted-tags --registry contentreg03 --name app --query '[].[tag, digest]' -o tsv)" "v1	$digest"
equal tags "$(az acr manifest list-deleted-tags --registry contentreg03 --name app:v2 --query 'length(@)' -o tsv)" 0
refused "No deleted manifests found for tag" az acr manifest restore --registry contentreg03 --name app:v2 --yes
az acr manifest restore --registry contentreg03 --name app:v1 --yes >/dev/null
pull_is_identical contentreg03 app:v1 "$WORK/image"
equal deleted "$(az acr repository list-deleted --name contentreg03 -o tsv)" ''
az acr repository delete --name contentreg03 --repository other/app --yes >/dev/null
az acr manifest restore --registry contentreg03 --name other/app:v1 --digest "$digest" --yes >/dev/null
pull_is_identical contentreg03 other/app:v1 "$WORK/image"

step "soft delete: after the days of the policy there is nothing left to restore"
az acr repository delete --name contentreg03 --repository app --yes >/dev/null
"$ACRITE" clock advance 6d >/dev/null
equal deleted "$(az acr repository list-deleted --name contentreg03 -o tsv)" app
"$ACRITE" clock advance 25h >/dev/null
equal deleted "$(az acr repository list-deleted --name contentreg03 -o tsv)" ''
refused "repository name not known to registry" az acr manifest restore --registry contentreg03 --name app:v1 --yes
done_with_suite
