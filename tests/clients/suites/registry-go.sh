# needs: az-current go
# exec: self
# crane and oras, built from their Go modules: push, pull, catalog, tags, copy, delete; an artifact that refers to an
# image, found by the referrers API and, on a registry with a customer-managed key, by the tag it falls back to.
. "$ACRITE_SUITES/lib.sh"

step "build crane and oras"
export TOOLS=$WORK/bin
for module in github.com/google/go-containerregistry/cmd/crane@v0.22.1 oras.land/oras/cmd/oras@v1.3.6; do
  GOBIN=$TOOLS GOFLAGS=-modcacherw go install $module >"$WORK/go.log" 2>&1 || fail "go could not build $module: $(tail -5 "$WORK/go.log")"
done

run_inner <<'INNER'
. "$ACRITE_SUITES/lib.sh"
PATH=$TOOLS:$PATH
export DOCKER_CONFIG=$WORK/docker-config
mkdir -p "$DOCKER_CONFIG"
plain_and_cmk go

step "sign in: a service principal's secret, and az's token"
crane auth login goplain.azurecr.io --username "$AZURE_CLIENT_ID" --password "$AZURE_CLIENT_SECRET" >/dev/null 2>&1
login gocmk
crane auth login gocmk.azurecr.io --username $AAD_USER --password "$TOKEN" >/dev/null 2>&1

step "crane"
head -c 200000 /dev/urandom >"$WORK/random"
tar -C "$WORK" -cf "$WORK/layer.tar" random
for host in goplain.azurecr.io gocmk.azurecr.io; do
  crane append --new_layer "$WORK/layer.tar" --new_tag $host/app:v1 >/dev/null 2>&1
  crane validate --remote $host/app:v1 >/dev/null 2>&1 || fail "crane validate refused $host/app:v1"
  equal "the catalog" "$(crane catalog $host)" app
  crane tag $host/app:v1 v2 2>/dev/null
  equal "the tags" "$(crane ls $host/app | tr '\n' ' ')" "v1 v2 "
  crane export $host/app:v1 - 2>/dev/null | tar -xOf - random | cmp - "$WORK/random" || fail "the file came back with other bytes"
  CHECKS=$((CHECKS + 1))
done
crane copy goplain.azurecr.io/app:v1 gocmk.azurecr.io/copied:v1 >/dev/null 2>&1
equal "the copy's digest" "$(crane digest gocmk.azurecr.io/copied:v1)" "$(crane digest goplain.azurecr.io/app:v1)"
crane delete "gocmk.azurecr.io/copied@$(crane digest gocmk.azurecr.io/copied:v1)" 2>/dev/null
refused "MANIFEST_UNKNOWN" crane manifest gocmk.azurecr.io/copied:v1

step "oras: artifacts that refer to an image"
cd "$WORK"
echo '{"a": "bill of materials"}' >sbom.json
for host in goplain.azurecr.io gocmk.azurecr.io; do
  oras push --no-tty $host/files:v1 random:application/octet-stream >/dev/null 2>"$WORK/oras.log" || fail "oras push: $(cat "$WORK/oras.log")"
  rm -rf pulled
  oras pull --no-tty --output pulled $host/files:v1 >/dev/null
  cmp pulled/random random || fail "oras pull gave other bytes"
  oras attach --no-tty --artifact-type application/vnd.example.sbom $host/app:v1 sbom.json:application/json >/dev/null
  equal "who refers to the image on $host" \
    "$(oras discover --format json --artifact-type application/vnd.example.sbom $host/app:v1 | "$PYTHON" -c '
import json, sys
told = json.load(sys.stdin)
print(*[m["artifactType"] for m in told.get("referrers", told.get("manifests", []))])')" application/vnd.example.sbom
done
equal "the tag that stands in for the API exists only where there is a key" \
  "$(oras repo tags gocmk.azurecr.io/app | grep -c '^sha256-') $(oras repo tags goplain.azurecr.io/app | grep -c '^sha256-' || true)" "1 0"

step "the key revoked"
az keyvault delete-policy --name govault --object-id $principal >/dev/null
refused "$BLOCKED" crane manifest gocmk.azurecr.io/app:v1
refused "$BLOCKED" oras manifest fetch gocmk.azurecr.io/app:v1
crane manifest goplain.azurecr.io/app:v1 >/dev/null
done_with_suite
INNER
done_with_suite
