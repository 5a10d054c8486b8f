# needs: azure-terraform
# The clients that Terraform's azurerm provider is made of, doing what it does for a registry with a customer-managed key.
. "$ACRITE_SUITES/lib.sh"
step "from a resource group to a registry with a replica, and all away again"
"$ACRITE_CLIENTS/azure-terraform/terraform" >"$WORK/said" 2>"$WORK/log" || fail "$(tail -n 1 "$WORK/log")"
cat "$WORK/said"
CHECKS=$(grep -c '^check: ' "$WORK/said")
equal "what it said last" "$(tail -n 1 "$WORK/said")" "check: the registry is gone"
done_with_suite
