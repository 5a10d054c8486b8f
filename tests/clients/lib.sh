# Sourced by every suite: steps, checks, images, and the few commands that the suites share.
set -Eeuo pipefail

# So that the article's commands can stand as the article has them.
export AZURE_CORE_ONLY_SHOW_ERRORS=true

BLOCKED='Access to Key Encryption Key is forbidden'
AAD_USER=00000000-0000-0000-0000-000000000000 # az acr login --expose-token goes with this user
PYTHON=${ACRITE_TEST_PYTHON:-python3}

WORK=$(mktemp -d)
CLEANUP=()
cleanup() {
  local i
  for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do eval "${CLEANUP[i]}" || true; done
  rm -rf "$WORK"
}
trap cleanup EXIT
at_exit() { CLEANUP+=("$1"); }

# --- steps and checks ------------------------------------------------------------------------
STEP=start
CHECKS=0
step() { STEP=$1; printf '%s -- %s\n' "$(date +%T)" "$STEP"; }
fail() {
  trap - ERR
  printf 'FAILED in step "%s": %s\n' "$STEP" "$1" >&2
  exit 1
}
trap 'fail "this command did not succeed: $BASH_COMMAND (${BASH_SOURCE[0]##*/}:$LINENO)"' ERR
done_with_suite() { STEP=end; printf 'checks: %d\n' "$CHECKS"; }

equal() { # equal WHAT GOT WANT
  [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
  CHECKS=$((CHECKS + 1))
}
differ() { # differ WHAT ONE OTHER
  [ "$2" != "$3" ] || fail "$1 is still '$2'"
  CHECKS=$((CHECKS + 1))
}
match() { # match WHAT GOT REGULAR-EXPRESSION (of the whole)
  [[ $2 =~ ^$3$ ]] || fail "$1 is '$2', which is not like '$3'"
  CHECKS=$((CHECKS + 1))
}
refused() { # refused TEXT COMMAND...: the command must fail and say TEXT
  local text=$1 out
  shift
  if out=$("$@" 2>&1); then fail "this was not refused: $* ... it said: $out"; fi
  [[ $out == *"$text"* ]] || fail "this was refused with other words than '$text': $* ... it said: $out"
  CHECKS=$((CHECKS + 1))
}

field() { # field PATH <JSON: a.b.c out of a JSON text; nothing where it is absent or null
  "$PYTHON" -c '
import json, sys
value = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    value = value.get(part) if isinstance(value, dict) else None
print("" if value is None else str(value).lower() if isinstance(value, bool) else value)' "$1"
}

# --- images ----------------------------------------------------------------------------------
image() { "$PYTHON" "$ACRITE_SUITES/image.py" "$@"; } # image make DIR ... | image same DIR DIR

# The password that docker and skopeo use, by the way that Microsoft documents for machines without docker.
TOKEN=
login() { TOKEN=$(az acr login --name "$1" --expose-token --query accessToken --output tsv); }

push() { # push DIR REGISTRY REPOSITORY:TAG
  skopeo --insecure-policy copy --quiet --preserve-digests --dest-creds "$AAD_USER:$TOKEN" \
    "oci:$1:image" "docker://$2.azurecr.io/$3"
}
pull() { # pull REGISTRY REPOSITORY:TAG DIR
  rm -rf "$3"
  skopeo --insecure-policy copy --quiet --preserve-digests --src-creds "$AAD_USER:$TOKEN" \
    "docker://$1.azurecr.io/$2" "oci:$3:image"
}
pull_is_identical() { # pull_is_identical REGISTRY REPOSITORY:TAG DIR-IT-WAS-PUSHED-FROM
  pull "$1" "$2" "$WORK/pulled" || fail "the pull of $1.azurecr.io/$2 did not succeed"
  image same "$3" "$WORK/pulled" || fail "$1.azurecr.io/$2 came back with other bytes"
  CHECKS=$((CHECKS + 1))
}
pull_is_refused() { # pull_is_refused REGISTRY REPOSITORY:TAG
  refused "$BLOCKED" pull "$1" "$2" "$WORK/refused"
}
push_is_refused() { # push_is_refused REGISTRY: with an image that the registry has never seen
  local out
  image make "$WORK/unseen"
  # A push begins with a HEAD, whose answer has no body, so skopeo may know no more than the status.
  if out=$(push "$WORK/unseen" "$1" unseen:v1 2>&1); then fail "the push to $1 was not refused"; fi
  [[ $out == *"$BLOCKED"* || $out == *"403"* ]] || fail "the push to $1 was refused with other words: $out"
  # The upload itself says why.
  out=$(registry_call "$1" repository:unseen:pull,push -X POST "https://$1.azurecr.io/v2/unseen/blobs/uploads/")
  equal "the status and code of an upload" "$(field status <<<"$out") $(field code <<<"$out")" "403 DENIED"
  equal "the message of an upload" "$(field message <<<"$out")" "$BLOCKED. View troubleshooting steps at https://aka.ms/acr/cmk"
}
access_token() { # access_token REGISTRY SCOPE: what a client gets for its refresh token
  curl -fsS "https://$1.azurecr.io/oauth2/token" -d grant_type=refresh_token -d service="$1.azurecr.io" \
    --data-urlencode "scope=$2" --data-urlencode "refresh_token=$TOKEN" | field access_token
}
registry_call() { # registry_call REGISTRY SCOPE CURL-ARGUMENT...: {status, code, message} of the answer
  local registry=$1 scope=$2 status
  shift 2
  status=$(curl -sS -o "$WORK/answer" -w '%{http_code}' -H "Authorization: Bearer $(access_token $registry $scope)" "$@")
  "$PYTHON" - "$status" "$WORK/answer" <<'PY'
import json, sys
try:
    error = json.load(open(sys.argv[2]))["errors"][0]
except (ValueError, KeyError, IndexError):
    error = {}
print(json.dumps({"status": int(sys.argv[1]), "code": error.get("code"), "message": error.get("message")}))
PY
}

# A registry without a customer-managed key and one with, PREFIXplain and PREFIXcmk; $principal is whom its vault PREFIXvault
# knows.
plain_and_cmk() { # plain_and_cmk PREFIX
  step "a registry without a customer-managed key, and one with"
  az group create --name rg --location eastus >/dev/null
  az acr create --resource-group rg --name $1plain --sku Premium >/dev/null
  az identity create --resource-group rg --name id1 >"$WORK/identity.json"
  identity=$(field id <"$WORK/identity.json") principal=$(field principalId <"$WORK/identity.json")
  az keyvault create --name $1vault --resource-group rg --enable-rbac-authorization false >/dev/null
  az keyvault set-policy --name $1vault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
  az keyvault key create --name key --vault-name $1vault >/dev/null
  az acr create --resource-group rg --name $1cmk --identity $identity --sku Premium \
    --key-encryption-key https://$1vault.vault.azure.net/keys/key >/dev/null
}

# The suite's inner script, in an emulator; its checks are the suite's.
run_inner() { # run_inner <SCRIPT
  step "run it"
  cat >"$WORK/inner.sh"
  "$ACRITE" exec --offline -- bash "$WORK/inner.sh" | tee "$WORK/inner.log"
  CHECKS=$(sed -n 's/^checks: //p' "$WORK/inner.log" | tail -1)
}

# --- registries ------------------------------------------------------------------------------
encryption() { az acr encryption show --name "$1"; }
in_use() { encryption "$1" | field keyVaultProperties.versionedKeyIdentifier; } # in_use REGISTRY
