# needs: az-2.60.0 skopeo
# The article with an az of its time, in which `az keyvault create` makes access policy vaults: all as it stands.
BRANCH=policy
VAULT_OPTIONS=
. "$ACRITE_SUITES/article.sh"
