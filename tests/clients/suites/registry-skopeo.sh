# needs: az-current skopeo
# skopeo beyond push and pull: inspect, list-tags, copies between registries and formats, deletion, a repository's
# data endpoint.
. "$ACRITE_SUITES/lib.sh"

group=rg-skopeo
az group create --name $group --location eastus >/dev/null
az acr create --resource-group $group --name skopeoone --sku Premium >/dev/null
az acr create --resource-group $group --name skopeotwo --sku Standard >/dev/null
image make "$WORK/image"
login skopeoone; one=$TOKEN
login skopeotwo; two=$TOKEN
ask() { skopeo --insecure-policy "$1" --creds "$AAD_USER:$one" "${@:2}"; }

step "push, inspect, tags"
TOKEN=$one
push "$WORK/image" skopeoone a/b/app:v1
push "$WORK/image" skopeoone a/b/app:v2
ask inspect docker://skopeoone.azurecr.io/a/b/app:v1 >"$WORK/shown"
equal "the name" "$(field Name <"$WORK/shown")" skopeoone.azurecr.io/a/b/app
equal "the tags" "$(ask list-tags docker://skopeoone.azurecr.io/a/b/app | "$PYTHON" -c 'import json,sys; print(*json.load(sys.stdin)["Tags"])')" "v1 v2"
digest=$(field Digest <"$WORK/shown")
match "the digest" "$digest" 'sha256:[0-9a-f]{64}'

step "from one registry to another, and as Docker's format"
skopeo --insecure-policy copy --quiet --preserve-digests --src-creds "$AAD_USER:$one" --dest-creds "$AAD_USER:$two" \
  docker://skopeoone.azurecr.io/a/b/app:v1 docker://skopeotwo.azurecr.io/moved:v1
TOKEN=$two
pull_is_identical skopeotwo moved:v1 "$WORK/image"
skopeo --insecure-policy copy --quiet --format v2s2 --src-creds "$AAD_USER:$one" --dest-creds "$AAD_USER:$two" \
  docker://skopeoone.azurecr.io/a/b/app:v1 docker://skopeotwo.azurecr.io/docker:v1
equal "the type of Docker's manifest" "$(skopeo --insecure-policy inspect --raw --creds "$AAD_USER:$two" \
  docker://skopeotwo.azurecr.io/docker:v1 | field mediaType)" application/vnd.docker.distribution.manifest.v2+json

step "the wrong token"
refused "authentication required" skopeo --insecure-policy inspect --creds "$AAD_USER:$one" docker://skopeotwo.azurecr.io/moved:v1
refused "" skopeo --insecure-policy inspect docker://skopeotwo.azurecr.io/moved:v1

step "blobs by the data endpoint"
az acr update --name skopeoone --data-endpoint-enabled true >/dev/null
TOKEN=$one
pull_is_identical skopeoone a/b/app:v1 "$WORK/image"
az acr update --name skopeoone --data-endpoint-enabled false >/dev/null

step "delete"
ask delete docker://skopeoone.azurecr.io/a/b/app:v1
refused "not found" ask inspect docker://skopeoone.azurecr.io/a/b/app:v1
done_with_suite
