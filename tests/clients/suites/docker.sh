# needs: az-current dockerd
# A real Docker engine: az acr login, push, pull; refused while the key is revoked; the same bytes afterwards.
. "$ACRITE_SUITES/lib.sh"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

group=rg-docker
vault=vault$RANDOM
# The engine reads certificates by host name from one folder for the whole machine, so the name must be our own.
registry=acritetest$$$RANDOM
host=$registry.azurecr.io
certificates=/etc/docker/certs.d/$host

step "start an engine of our own, with the emulator as its proxy"
engine=$WORK/engine
mkdir -p "$engine"
export DOCKER_HOST=unix://$engine/socket DOCKER_CONFIG=$WORK/docker-config
stop_engine() {
  local pid i
  pid=$(cat "$engine/pid" 2>/dev/null) || return 0
  as_root kill "$pid" || return 0
  for i in $(seq 100); do as_root kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  as_root kill -9 "$pid"
}
at_exit "as_root rm -rf '$engine'"
at_exit "as_root rm -rf '$certificates'"
at_exit stop_engine
as_root mkdir -p "$certificates"
as_root cp "$ACRITE_CA" "$certificates/ca.crt"
# Its trust comes from certs.d alone, so the variables that would make it trust everything are left out.
as_root env -u SSL_CERT_FILE -u SSL_CERT_DIR \
  HTTPS_PROXY="$HTTPS_PROXY" HTTP_PROXY="$HTTP_PROXY" NO_PROXY="${NO_PROXY:-}" \
  dockerd --host "$DOCKER_HOST" --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" \
  --group "$(id -gn)" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs >"$WORK/dockerd.log" 2>&1 &
for _ in $(seq 150); do docker info >/dev/null 2>&1 && break; sleep 0.2; done
docker info >/dev/null 2>&1 || fail "dockerd did not start: $(tail -5 "$WORK/dockerd.log")"

step "a registry with a customer-managed key"
az group create --name $group --location eastus >/dev/null
az identity create --resource-group $group --name id1 >"$WORK/identity.json"
identity=$(field id <"$WORK/identity.json") principal=$(field principalId <"$WORK/identity.json")
az keyvault create --name $vault --resource-group $group --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name $vault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault key create --name key --vault-name $vault >/dev/null
az acr create --resource-group $group --name $registry --identity $identity --sku Premium \
  --key-encryption-key https://$vault.vault.azure.net/keys/key >/dev/null

step "without a login nothing can be pulled"
refused "" docker pull --quiet $host/app:v1

step "az acr login"
az acr login --name $registry >/dev/null

step "docker push"
head -c 3000000 /dev/urandom >"$WORK/random"
tar -cf - -C "$WORK" random | docker import - $host/app:v1 >/dev/null
id=$(docker image inspect --format '{{.Id}}' $host/app:v1)
docker push --quiet $host/app:v1 >/dev/null

pull_again() { # docker pull, into an engine that has nothing of it
  docker image rm --force $host/app:v1 >/dev/null 2>&1
  docker pull --quiet $host/app:v1
}
pulled_is_identical() {
  local container
  pull_again >/dev/null || fail "docker pull did not succeed"
  equal "the image's id" "$(docker image inspect --format '{{.Id}}' $host/app:v1)" "$id"
  container=$(docker create $host/app:v1 /none)
  docker export $container | tar -xOf - random | cmp - "$WORK/random" || fail "the file in the image has other bytes"
  docker rm $container >/dev/null
}

step "docker pull"
pulled_is_identical

step "the key revoked: pull and push are refused"
az keyvault delete-policy --name $vault --object-id $principal >/dev/null
refused "$BLOCKED" pull_again
head -c 100000 /dev/urandom >"$WORK/other"
tar -cf - -C "$WORK" other | docker import - $host/other:v1 >/dev/null
refused "" docker push --quiet $host/other:v1

step "a login still works while the key is revoked"
az acr login --name $registry >/dev/null

step "access given back: the same bytes"
az keyvault set-policy --name $vault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
pulled_is_identical
docker push --quiet $host/other:v1 >/dev/null
equal "the repositories" "$(az acr repository list --name $registry --output tsv | tr '\n' ' ')" "app other "

done_with_suite
