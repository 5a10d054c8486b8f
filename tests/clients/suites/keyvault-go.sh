# needs: azure-go azure-python
# Microsoft's Key Vault client for Go, which asks the server for every operation; an independent library verifies
# what was signed and opens what was wrapped.
. "$ACRITE_SUITES/lib.sh"
. "$ACRITE_SUITES/keyvault.sh"
PYTHON=$ACRITE_CLIENTS/azure-python/bin/python
make_vault kv-go
step "every operation of a key, pages, deletion, backup"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$WORK/private.pem" 2>/dev/null
"$ACRITE_CLIENTS/azure-go/keyvault" "$VAULT" "$WORK/private.pem" >"$WORK/lines"
verified "$WORK/private.pem" <"$WORK/lines"
done_with_suite
