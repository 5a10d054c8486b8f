# needs: az-current skopeo
# exec: self
# What was pushed stands nowhere in the data folder, nor does a private key of the vault: not while the emulator
# runs, with an upload half done, and not after it has stopped.
. "$ACRITE_SUITES/lib.sh"

export MARKER="acrite-plaintext-marker-$RANDOM$RANDOM$RANDOM"
export DATA=$WORK/data KNOWN=$WORK/known IMAGE=$WORK/image
search() { "$PYTHON" "$ACRITE_SUITES/search.py" "$@"; }

step "the search finds what it looks for"
search --self-test

cat >"$WORK/inner.sh" <<'INNER'
. "$ACRITE_SUITES/lib.sh"
step "a registry with a customer-managed key, and one without"
az group create --name rg --location eastus >/dev/null
az identity create --resource-group rg --name id1 >"$WORK/identity.json"
identity=$(field id <"$WORK/identity.json") principal=$(field principalId <"$WORK/identity.json")
az keyvault create --name plainvault --resource-group rg --enable-rbac-authorization false >/dev/null
az keyvault set-policy --name plainvault --object-id $principal --key-permissions get unwrapKey wrapKey >/dev/null
az keyvault key create --name key --vault-name plainvault --query key.n --output tsv >"$KNOWN"
az acr create --resource-group rg --name withkey --identity $identity --sku Premium \
  --key-encryption-key https://plainvault.vault.azure.net/keys/key >/dev/null
az acr create --resource-group rg --name withoutkey --sku Basic >/dev/null
az keyvault key create --name key --vault-name plainvault --query key.n --output tsv >>"$KNOWN"
acrite clock advance 61m # a rotation, which re-wraps

step "push to both"
image make "$IMAGE" --marker "$MARKER" --size 60000
for registry in withkey withoutkey; do
  login $registry
  push "$IMAGE" $registry app:v1
  pull_is_identical $registry app:v1 "$IMAGE"
done

step "an upload that is never finished"
login withkey
access=$(access_token withkey repository:app:pull,push)
place=$(curl -fsS -D - -o /dev/null -X POST -H "Authorization: Bearer $access" https://withkey.azurecr.io/v2/app/blobs/uploads/ |
  tr -d '\r' | sed -n 's/^[Ll]ocation: *//p')
case $place in /*) place=https://withkey.azurecr.io$place ;; esac
printf '%s-in-the-unfinished-upload %050000d' "$MARKER" 0 |
  curl -fsS -o /dev/null -X PATCH -H "Authorization: Bearer $access" -H 'Content-Type: application/octet-stream' \
    -H 'Transfer-Encoding: chunked' --data-binary @- "$place"

step "while it runs"
"$PYTHON" "$ACRITE_SUITES/search.py" "$DATA" --marker "$MARKER" --moduli "$KNOWN"
CHECKS=$((CHECKS + 1))
done_with_suite
INNER

step "run it on a data folder of our own"
"$ACRITE" exec --offline --data-dir "$DATA" -- bash "$WORK/inner.sh"

step "after it has stopped"
equal "the moduli that are known" "$(wc -l <"$KNOWN" | tr -d ' ')" 2
[ "$(find "$DATA" -type f | wc -l)" -gt 0 ] || fail "there is nothing in the data folder"
search "$DATA" --marker "$MARKER" --moduli "$KNOWN"
CHECKS=$((CHECKS + 1))

step "it has not looked at an empty folder: the blobs are there, in other bytes"
equal "blobs of the image's size or more" "$("$PYTHON" -c '
import os, sys
print(sum(os.path.getsize(os.path.join(f, n)) for f, _, names in os.walk(sys.argv[1]) for n in names) >= 2 * 60000)' "$DATA")" True

done_with_suite
