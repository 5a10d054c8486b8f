# needs: azure-python
# Microsoft's Key Vault clients for Python with azure-identity's credentials: secret, environment, managed identity,
# workload identity. An independent library verifies what was signed.
. "$ACRITE_SUITES/lib.sh"
. "$ACRITE_SUITES/keyvault.sh"
PYTHON=$ACRITE_CLIENTS/azure-python/bin/python
make_vault kv-python
step "keys, secrets and every credential"
"$PYTHON" "$ACRITE_SUITES/keyvault.identity.py" "$VAULT" "$WORK" >"$WORK/lines"
verified <"$WORK/lines"
step "the audit log names each caller"
"$ACRITE" audit --json >"$WORK/audit"
grep -q '"KeySign".*"xms_mirid"' "$WORK/audit" || fail "the managed identity's signature is not in the audit log"
grep -q '"Authentication"' "$WORK/audit" || fail "the first call without a token is not in the audit log"
done_with_suite
