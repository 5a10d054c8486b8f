# needs: az-2.60.0 skopeo buildah
# ACR Tasks by az and a real builder.
NO_IDENTITY_REMOVE=yes
NO_LOGS="ERROR: (" # and what it was answered
. "$ACRITE_SUITES/tasks.sh"
