# needs: az-current skopeo
# The article with today's az, its access policy branch: the vault has to be made an access policy vault.
BRANCH=policy
VAULT_OPTIONS="--enable-rbac-authorization false"
. "$ACRITE_SUITES/article.sh"
