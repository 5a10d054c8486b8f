#!/bin/sh
# Pushes an image, is refused while the registry's key is disabled, and pulls the same image again. The variables are those
# that `acrite env` and `acrite exec` set; the registry and the vault are those of fixtures/cmk.json.
set -eu
image=${1:-/fixtures/hello}
registry=acritecmk.azurecr.io
key=https://acrite-cmk.vault.azure.net/keys/acrite-key
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

token=$(curl --silent --show-error --fail "https://login.microsoftonline.com/$AZURE_TENANT_ID/oauth2/v2.0/token" \
  --data grant_type=client_credentials --data scope=https://vault.azure.net/.default \
  --data "client_id=$AZURE_CLIENT_ID" --data-urlencode "client_secret=$AZURE_CLIENT_SECRET" |
  sed 's/.*"access_token": *"\([^"]*\)".*/\1/')
enable_key() {
  curl --silent --show-error --fail --output /dev/null --request PATCH "$key?api-version=7.4" \
    --header "Authorization: Bearer $token" --json "{\"attributes\": {\"enabled\": $1}}"
}
credentials=$AZURE_CLIENT_ID:$AZURE_CLIENT_SECRET
pull() {
  rm -rf "$work/pulled"
  skopeo --insecure-policy copy --quiet --src-creds "$credentials" "docker://$registry/hello:v1" "dir:$work/pulled"
}

skopeo --insecure-policy copy --quiet --dest-creds "$credentials" "oci:$image" "docker://$registry/hello:v1"
echo "pushed"
pull
cp "$work/pulled/manifest.json" "$work/before.json"

enable_key false
if pull 2>"$work/refusal"; then
  echo "the key is disabled, and the pull was not refused" >&2
  exit 1
fi
echo "refused: $(cat "$work/refusal")"

enable_key true
pull
cmp "$work/before.json" "$work/pulled/manifest.json"
echo "pulled again, the same bytes"
