# needs: azure-node azure-python
# Microsoft's Key Vault client for JavaScript; an independent library verifies what was signed.
. "$ACRITE_SUITES/lib.sh"
. "$ACRITE_SUITES/keyvault.sh"
PYTHON=$ACRITE_CLIENTS/azure-python/bin/python
make_vault kv-node
step "keys of each kind, wrapping, rotation, deletion, backup"
ln -s "$ACRITE_CLIENTS/azure-node/node_modules" "$WORK/node_modules"
cp "$ACRITE_SUITES/keyvault.mjs" "$WORK/"
node "$WORK/keyvault.mjs" "$VAULT" >"$WORK/lines"
verified <"$WORK/lines"
done_with_suite
