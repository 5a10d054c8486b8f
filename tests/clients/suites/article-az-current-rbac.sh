# needs: az-current skopeo
# The article with today's az, which makes role vaults: the article's role branch as it stands.
BRANCH=rbac
VAULT_OPTIONS=
. "$ACRITE_SUITES/article.sh"
