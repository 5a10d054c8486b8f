# needs: az-current skopeo docker-registry
# Cache rules that pull through and imports, from a CNCF registry on this machine that wants a password: by az and
# skopeo, into a registry with a customer-managed key and out of a plain one.
. "$ACRITE_SUITES/lib.sh"

step "a registry elsewhere"
"$PYTHON" -W ignore - right >"$WORK/htpasswd" <<'PY'
import crypt, sys
print("robot:" + crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH)))
PY
port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
upstream=127.0.0.1:$port
cat >"$WORK/registry.yml" <<CONFIG
version: 0.1
log: {level: info, accesslog: {disabled: false}}
storage: {filesystem: {rootdirectory: $WORK/registry}, delete: {enabled: true}}
auth: {htpasswd: {realm: upstream, path: $WORK/htpasswd}}
http: {addr: "$upstream"}
CONFIG
serve_upstream() {
  docker-registry serve "$WORK/registry.yml" >>"$WORK/registry.log" 2>&1 &
  UPSTREAM=$!
  for _ in $(seq 100); do
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$upstream/v2/")" = 401 ] && return 0
    sleep 0.1
  done
  fail "docker-registry did not start: $(tail -5 "$WORK/registry.log")"
}
stop_upstream() { kill $UPSTREAM && wait $UPSTREAM 2>/dev/null || true; }
serve_upstream
at_exit stop_upstream
push_upstream() { # push_upstream DIR REPOSITORY:TAG
  skopeo --insecure-policy copy --quiet --preserve-digests --dest-tls-verify=false --dest-creds robot:right \
    "oci:$1:image" "docker://$upstream/$2"
}
asked() { grep -c "\"$1 /v2/$2" "$WORK/registry.log" || true; } # asked METHOD REPOSITORY/…: how often so far
image make "$WORK/one"
image make "$WORK/two"
push_upstream "$WORK/one" team/app:v1

step "a registry with a customer-managed key, a plain one, a credential set"
az group create --name rg --location eastus >/dev/null
az identity create --resource-group rg --name id1 >"$WORK/identity.json"
principal=$(field principalId <"$WORK/identity.json")
az keyvault create --name cachevault --resource-group rg --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name cachevault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault key create --name key --vault-name cachevault >/dev/null
az acr create --resource-group rg --name cachecmk --identity "$(field id <"$WORK/identity.json")" --sku Premium \
  --key-encryption-key https://cachevault.vault.azure.net/keys/key >/dev/null
az acr create --resource-group rg --name cacheplain --sku Standard >/dev/null
az keyvault secret set --vault-name cachevault --name user --value robot >/dev/null
az keyvault secret set --vault-name cachevault --name password --value right >/dev/null
az acr credential-set create --registry cachecmk --name set01 --login-server $upstream \
  --username-id https://cachevault.vault.azure.net/secrets/user \
  --password-id https://cachevault.vault.azure.net/secrets/password >"$WORK/set.json"
az keyvault set-policy --name cachevault --object-id "$(field identity.principalId <"$WORK/set.json")" --secret-permissions get >/dev/null
equal "the credential's health" "$(az acr credential-set show --registry cachecmk --name set01 --query 'authCredentials[0].credentialHealth.status' -o tsv)" Healthy
az acr cache create --registry cachecmk --name rule01 --source-repo "$upstream/team/*" --target-repo 'cached/*' --cred-set set01 >/dev/null

step "pulled through, and kept"
login cachecmk
pull_is_identical cachecmk cached/app:v1 "$WORK/one"
blobs=$(asked GET team/app/blobs)
pull_is_identical cachecmk cached/app:v1 "$WORK/one"
equal "the source's blobs were asked for" "$(asked GET team/app/blobs)" "$blobs"
equal "the cached tags" "$(az acr repository show-tags --name cachecmk --repository cached/app -o tsv)" v1
refused "" push "$WORK/two" cachecmk cached/app:mine

step "the source's tag moves; the source goes"
push_upstream "$WORK/two" team/app:v1
pull_is_identical cachecmk cached/app:v1 "$WORK/two"
stop_upstream
pull_is_identical cachecmk cached/app:v1 "$WORK/two"
refused "has failed" pull cachecmk cached/app:v2 "$WORK/none"
serve_upstream

step "without its key the registry asks no source"
push_upstream "$WORK/one" team/app:v3
az keyvault delete-policy --name cachevault --object-id $principal >/dev/null
heads=$(asked HEAD team/app/manifests)$(asked GET team/app/manifests)
pull_is_refused cachecmk cached/app:v1
pull_is_refused cachecmk cached/app:v3
equal "questions to the source" "$(asked HEAD team/app/manifests)$(asked GET team/app/manifests)" "$heads"
az keyvault set-policy --name cachevault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
pull_is_identical cachecmk cached/app:v3 "$WORK/one"

step "the source's password changes"
az keyvault secret set --vault-name cachevault --name password --value wrong >/dev/null
refused "" pull cachecmk cached/app:v4 "$WORK/none"
pull_is_identical cachecmk cached/app:v1 "$WORK/two"

step "import"
az acr import --name cacheplain --source "$upstream/team/app:v3" --image imported:v1 --username robot --password right >/dev/null
login cacheplain
pull_is_identical cacheplain imported:v1 "$WORK/one"
refused "Unauthorized" az acr import --name cacheplain --source "$upstream/team/app:v1" --image no:v1 --username robot --password wrong
refused "NotFound" az acr import --name cacheplain --source "$upstream/team/app:nowhere" --image no:v1 --username robot --password right
refused "runs with --offline" az acr import --name cacheplain --source mcr.microsoft.com/hello-world:latest --image no:v1
equal repositories "$(az acr repository list --name cacheplain -o tsv)" imported
stop_upstream
done_with_suite
