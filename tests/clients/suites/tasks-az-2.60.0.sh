# needs: az-2.60.0 skopeo buildah
# ACR Tasks by az and a real builder.
. "$ACRITE_SUITES/tasks.sh"
