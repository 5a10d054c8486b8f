# needs: azure-acr-python
# Microsoft's resource-management client of registries for Python: registries, all their children, and every document
# put again as it came.
. "$ACRITE_SUITES/lib.sh"
PYTHON=$ACRITE_CLIENTS/azure-acr-python/bin/python
step "registries and their children by azure-mgmt-containerregistry"
"$PYTHON" "$ACRITE_SUITES/registry_mgmt.py" >"$WORK/said"
equal "what the client said last" "$(tail -n 1 "$WORK/said")" "done: 7 documents put again"
done_with_suite
