# needs: azure-acr-python buildah
# ACR Tasks by Microsoft's clients of tasks and of storage for Python.
. "$ACRITE_SUITES/lib.sh"
PYTHON=$ACRITE_CLIENTS/azure-acr-python/bin/python
step "tasks by azure-mgmt-containerregistrytasks and azure-storage-blob"
"$PYTHON" "$ACRITE_SUITES/tasks.py" >"$WORK/said"
equal "what the client said last" "$(tail -n 1 "$WORK/said")" "done: 4 runs"
done_with_suite
