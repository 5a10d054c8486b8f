# needs: az-current skopeo npm node
# exec: self
# Microsoft's own clients for registries, unmodified: azure-containerregistry for Python, @azure/container-registry
# for JavaScript. They push, list, lock, delete. And oras for Python.
. "$ACRITE_SUITES/lib.sh"

step "install them"
export SDK=$WORK/sdk
"$PYTHON" -m venv "$SDK/python" >"$WORK/install.log" 2>&1 &&
  "$SDK/python/bin/pip" install --disable-pip-version-check -q azure-containerregistry==1.2.0 azure-identity requests oras==0.2.43 >>"$WORK/install.log" 2>&1 ||
  fail "pip could not install the Python client: $(tail -3 "$WORK/install.log")"
mkdir -p "$SDK/js"
(cd "$SDK/js" && npm init -y && npm install --no-audit --no-fund @azure/container-registry@1.1.2 @azure/identity) >"$WORK/install.log" 2>&1 ||
  fail "npm could not install the JavaScript client: $(tail -3 "$WORK/install.log")"
cp "$ACRITE_SUITES"/registry{,.oras}.py "$ACRITE_SUITES/registry.mjs" "$SDK/js/"

run_inner <<'INNER'
. "$ACRITE_SUITES/lib.sh"
az group create --name rg --location eastus >/dev/null
az acr create --resource-group rg --name sdkreg --sku Premium >/dev/null
image make "$WORK/image"
login sdkreg
push "$WORK/image" sdkreg app:v1
push "$WORK/image" sdkreg app:v2
step "Python"
"$SDK/python/bin/python" "$SDK/js/registry.py" https://sdkreg.azurecr.io
CHECKS=$((CHECKS + 1))
step "JavaScript"
push "$WORK/image" sdkreg app:v1
push "$WORK/image" sdkreg app:v2
(cd "$SDK/js" && node registry.mjs https://sdkreg.azurecr.io)
CHECKS=$((CHECKS + 1))
step "oras for Python"
mkdir "$WORK/oras"
"$SDK/python/bin/python" "$SDK/js/registry.oras.py" sdkreg.azurecr.io "$AAD_USER" "$TOKEN" "$WORK/oras" | tee "$WORK/said"
CHECKS=$((CHECKS + $(grep -c '^check: ' "$WORK/said")))
done_with_suite
INNER
done_with_suite
