# needs: az-current
# exec: self
# What az once sent to Azure, sent to the emulator: it answers as Azure did, but for ../replay.differences. The recordings
# are not ours to keep here; ACRITE_RECORDINGS names their folder, or it is found beside the repository or its origin.
. "$ACRITE_SUITES/lib.sh"

step "find the recordings"
RECORDINGS=${ACRITE_RECORDINGS:-}
root=$(cd "$ACRITE_SUITES/../.." && pwd)
for place in "$root" "$(git -C "$root" config --get remote.origin.url || true)"; do
  while [ -z "$RECORDINGS" ] && [[ $place == /*/* ]]; do
    place=${place%/*}
    [ ! -d "$place/shared/reference/data/acr/recordings" ] || RECORDINGS=$place/shared/reference/data/acr/recordings
  done
done
[ -n "$RECORDINGS" ] || fail "there are no recordings: set ACRITE_RECORDINGS to the folder with az's recorded tests (*.yaml)"

step "replay them"
"$PYTHON" "$ACRITE_SUITES/replay.py" "$RECORDINGS" "$ACRITE_SUITES/replay.differences" || fail "the emulator answers otherwise"
CHECKS=$((CHECKS + $(ls "$RECORDINGS"/*.yaml | wc -l)))

step "see what differs" # a comparison that finds nothing would prove nothing
mkdir "$WORK/changed"
changed() { # changed SED-EXPRESSION FOUND: with the recording changed so, this difference is found
  sed "$1" "$RECORDINGS/test_acr_with_anonymous_pull.yaml" >"$WORK/changed/changed.yaml"
  "$PYTHON" "$ACRITE_SUITES/replay.py" "$WORK/changed" >"$WORK/found" || fail "the changed recording was not replayed"
  grep -qF "$2" "$WORK/found" || fail "with $1 in the recording, this was not found: $2; but: $(cat "$WORK/found")"
  CHECKS=$((CHECKS + 1))
}
changed 's/"zoneRedundancy":"Disabled"/"zoneRedundancy":"Enabled"/' '| properties.zoneRedundancy | "Enabled" is "Disabled"'
changed 's/"dataEndpointHostNames":\[\]/"dataEndpointHostNames":{}/' '| properties.dataEndpointHostNames | object is list'
changed 's/"publicNetworkAccess":"Enabled",//' '| properties.publicNetworkAccess | is extra'
changed 's/"loginServer"/"more":1,"loginServer"/' '| properties.more | is missing'
changed 's/code: 201/code: 202/' '| status | 202 is 201'
done_with_suite
