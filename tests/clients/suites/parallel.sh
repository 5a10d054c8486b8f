# needs: az-current skopeo
# exec: self
# Two emulators side by side, with the same names in them, do not see each other, nor leave anything in the home folder.
. "$ACRITE_SUITES/lib.sh"

mkdir "$WORK/home"
export MEETING=$WORK HOME=$WORK/home
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_STATE_HOME

cat >"$WORK/one.sh" <<'INNER'
. "$ACRITE_SUITES/lib.sh"
me=$1 other=$2
meet() { # meet NAME: both are here before either goes on
  touch "$MEETING/$1-$me"
  for _ in $(seq 600); do [ -e "$MEETING/$1-$other" ] && return; sleep 0.1; done
  fail "the other one did not come to '$1'"
}
step "$me: the same names in both"
printf '%s %s %s' "$ACRITE_URL" "$AZURE_CONFIG_DIR" "$ACRITE_DATA_DIR" >"$MEETING/where-$me"
az group create --name samename --location eastus --tags only=$me >/dev/null
az group create --name only-$me --location eastus >/dev/null
az acr create --resource-group samename --name samename --sku Premium --tags only=$me >/dev/null
login samename
image make "$MEETING/image-$me" --marker $me
push "$MEETING/image-$me" samename app:v1
push "$MEETING/image-$me" samename only-$me:v1
meet pushed

step "$me: each has its own"
equal "the groups" "$(az group list --query "sort([].name)" --output tsv | tr '\n' ' ')" "only-$me samename "
equal "the registry's tag" "$(az acr show --name samename --query tags.only --output tsv)" $me
equal "the repositories" "$(az acr repository list --name samename --output tsv | tr '\n' ' ')" "app only-$me "
pull_is_identical samename app:v1 "$MEETING/image-$me"
refused "" pull samename only-$other:v1 "$WORK/pulled"

step "$me: the one's clock is not the other's"
before=$(acrite clock show)
meet clock
[ $me = right ] || acrite clock advance 100d
meet advanced
[ $me = left ] || match "the clock" "$(acrite clock show)" "(.*)$(date -u +%Y-%m-%d).*|(.*)$(date -u -d -1minute +%Y-%m-%d).*"
[ $me = right ] || differ "the clock" "$(acrite clock show)" "$before"

step "$me: the one's tokens are worth nothing to the other"
printf '%s' "$TOKEN" >"$MEETING/token-$me"
meet tokens
TOKEN=$(cat "$MEETING/token-$other")
refused "" pull samename app:v1 "$WORK/pulled"
meet end
done_with_suite
INNER

step "both at once"
"$ACRITE" exec --offline -- bash "$WORK/one.sh" left right >"$WORK/left.log" 2>&1 &
left=$!
"$ACRITE" exec --offline -- bash "$WORK/one.sh" right left >"$WORK/right.log" 2>&1 &
right=$!
failed=
wait $left || failed="left "
wait $right || failed="${failed}right"
cat "$WORK/left.log" "$WORK/right.log"
[ -z "$failed" ] || fail "failed in: $failed"

step "nothing is shared, and nothing is left over"
for n in 1 2 3; do
  differ "address, az profile or data folder ($n)" "$(cut -d' ' -f$n "$WORK/where-left")" "$(cut -d' ' -f$n "$WORK/where-right")"
done
for me in left right; do
  for n in 2 3; do
    [ ! -e "$(cut -d' ' -f$n "$WORK/where-$me")" ] || fail "$(cut -d' ' -f$n "$WORK/where-$me") is still there"
  done
done
equal "what is in the home folder" "$(find "$HOME" -mindepth 1 -maxdepth 1 -printf '%f ')" ""

step "the exit code of the command is passed on"
code=0
"$ACRITE" exec --offline -- bash -c 'exit 23' || code=$?
equal "the exit code" $code 23

done_with_suite
