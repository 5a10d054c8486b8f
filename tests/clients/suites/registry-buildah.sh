# needs: az-current buildah
# buildah: builds an image from nothing, without root's help where the machine allows it, pushes and pulls it.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-buildah --location eastus >/dev/null
az acr create --resource-group rg-buildah --name buildahreg --sku Premium >/dev/null
login buildahreg
build() { buildah --root "$WORK/store" --runroot "$WORK/run" --storage-driver vfs "$@"; }
printf '{"default": [{"type": "insecureAcceptAnything"}]}' >"$WORK/policy.json"

step "build from scratch"
head -c 300000 /dev/urandom >"$WORK/random"
container=$(build from scratch)
build copy --quiet $container "$WORK/random" /random >/dev/null
build commit --quiet --signature-policy "$WORK/policy.json" $container made >/dev/null

step "push, pull"
build push --quiet --signature-policy "$WORK/policy.json" --digestfile "$WORK/digest" --creds "$AAD_USER:$TOKEN" made docker://buildahreg.azurecr.io/made:v1
match "the digest" "$(cat "$WORK/digest")" 'sha256:[0-9a-f]{64}'
build rmi --all --force >/dev/null
build pull --quiet --signature-policy "$WORK/policy.json" --creds "$AAD_USER:$TOKEN" docker://buildahreg.azurecr.io/made:v1 >/dev/null
again=$(build from --pull-never --signature-policy "$WORK/policy.json" buildahreg.azurecr.io/made:v1)
cmp "$(build mount $again)/random" "$WORK/random" || fail "the file came back with other bytes"
CHECKS=$((CHECKS + 1))
build umount $again >/dev/null
done_with_suite
