# needs: az-2.60.0 skopeo
# The article's role branch with an az that has to be told to make a role vault.
BRANCH=rbac
VAULT_OPTIONS="--enable-rbac-authorization true"
. "$ACRITE_SUITES/article.sh"
