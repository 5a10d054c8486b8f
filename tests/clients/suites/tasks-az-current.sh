# needs: az-current skopeo buildah
# ACR Tasks by az and a real builder.
. "$ACRITE_SUITES/tasks.sh"
