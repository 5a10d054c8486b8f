# needs: azure-java azure-python
# Microsoft's Key Vault client for Java; an independent library verifies what was signed.
. "$ACRITE_SUITES/lib.sh"
. "$ACRITE_SUITES/keyvault.sh"
PYTHON=$ACRITE_CLIENTS/azure-python/bin/python
make_vault kv-java
step "signing, wrapping, rotation, deletion"
java -cp "$ACRITE_CLIENTS/azure-java/lib/*" "$ACRITE_SUITES/keyvault.java" "$VAULT" >"$WORK/lines"
verified <"$WORK/lines"
done_with_suite
