# needs: az-current skopeo
# Templates with today's az, which pastes the text of a template into its request.
VAULT_OPTIONS="--enable-rbac-authorization false"
. "$ACRITE_SUITES/templates.sh"
