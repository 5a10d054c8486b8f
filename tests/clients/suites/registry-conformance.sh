# needs: az-current go
# exec: self
# The OCI project's own conformance suite, every category of distribution 1.1: no test fails on a plain registry, nor
# on one with a customer-managed key, where the referrers API is not supported, as on Azure.
. "$ACRITE_SUITES/lib.sh"

step "build the suite"
# The module's pseudo-version: the project tags no releases of it.
export SUITE=$WORK/bin/conformance RESULTS=$WORK/results
GOBIN=$WORK/bin GOFLAGS=-modcacherw \
  go install github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111 >"$WORK/go.log" 2>&1 ||
  fail "go could not build the conformance suite: $(tail -5 "$WORK/go.log")"

run_inner <<'INNER'
. "$ACRITE_SUITES/lib.sh"
plain_and_cmk conform

# Beyond the suite's defaults: cancelled uploads, and digests in headers, which Azure sends.
export OCI_VERSION=1.1 OCI_API_BLOBS_UPLOAD_CANCEL=true OCI_API_BLOBS_DIGEST_HEADER=true OCI_API_MANIFESTS_DIGEST_HEADER=true
conformance() { # conformance REGISTRY USER PASSWORD NAME
  OCI_REGISTRY=$1.azurecr.io OCI_USERNAME=$2 OCI_PASSWORD=$3 OCI_RESULTS_DIR=$RESULTS/$4 \
    "$SUITE" >"$WORK/$4.log" 2>&1 || fail "the conformance suite failed: $(grep -E "(Fail|Error)$" "$WORK/$4.log"; grep -rhoE "FAIL.{0,300}" "$WORK/$4.log" | head)"
  sed -n '/ conformance:$/,$p' "$WORK/$4.log"
  ! grep -E '\.: +(Fail|Error)$' "$WORK/$4.log" || fail "the conformance suite reports failures on $1"
  CHECKS=$((CHECKS + 1))
}
api() { sed -n "s/^  $2: //p" "$RESULTS/$1/results.yaml" | head -1; } # api NAME ROW: its result

step "a service principal by its secret, plain registry"
conformance conformplain "$AZURE_CLIENT_ID" "$AZURE_CLIENT_SECRET" plain
step "az acr login's token, plain registry"
login conformplain
conformance conformplain "$AAD_USER" "$TOKEN" token
for run in plain token; do
  for row in 'Blob push' 'Blob get' 'Blob mount' 'Blob delete' 'Manifest put by tag' 'Manifest get by digest' \
    'Manifest delete' 'Tag listing' 'Tag delete' 'Referrers'; do
    equal "$row" "$(api $run "$row")" Pass
  done
done

step "a registry with a customer-managed key"
login conformcmk
OCI_API_REFERRER=false conformance conformcmk "$AAD_USER" "$TOKEN" cmk
for row in 'Blob push' 'Blob get' 'Blob mount' 'Blob delete' 'Manifest put by tag' 'Manifest get by digest' \
  'Manifest delete' 'Tag listing' 'Tag delete'; do
  equal "$row" "$(api cmk "$row")" Pass
done
equal "the referrers API, which Azure does not have with such a key" \
  "$(registry_call conformcmk repository:conformance/repo1:pull \
    "https://conformcmk.azurecr.io/v2/conformance/repo1/referrers/sha256:$(printf %064d 0)" | field status)" 404
done_with_suite
INNER
done_with_suite
