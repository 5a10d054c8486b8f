# needs: az-2.60.0 skopeo
# Templates with the az of the article's time.
VAULT_OPTIONS=
. "$ACRITE_SUITES/templates.sh"
