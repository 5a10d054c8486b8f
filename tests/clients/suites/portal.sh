# needs: chromium azure-browser skopeo curl
# The portal in a real browser: the article by keyboard alone, in both languages, with scripts and without; then every
# page by axe and in pictures (kept in $PORTAL_PICTURES, if that is set).
. "$ACRITE_SUITES/lib.sh"
export WORK PORTAL_IMAGE=$WORK/image PORTAL_PICTURES=${PORTAL_PICTURES:-$WORK/pictures}
image make "$WORK/image"

step "what is embedded is small"
for name in portal.css portal.js icon.svg; do curl -fsS "$ACRITE_URL/portal/assets/$name"; done | gzip -9 | wc -c >"$WORK/size"
echo "assets, gzipped: $(cat "$WORK/size") bytes"
[ "$(cat "$WORK/size")" -lt 61440 ] || fail "the assets are larger than 60 KiB"
CHECKS=$((CHECKS + 1))

step "by Azure's name, through the proxy"
match "the page at portal.azure.com" "$(curl -fsSL https://portal.azure.com/ | tr '\n' ' ')" '.*Acrite.*'

step "in the browser"
ln -s "$ACRITE_CLIENTS/azure-browser/node_modules" "$WORK/node_modules"
cp "$ACRITE_SUITES/portal.mjs" "$WORK/"
node "$WORK/portal.mjs" | tee "$WORK/lines"
CHECKS=$((CHECKS + $(sed -n 's/^checked //p' "$WORK/lines")))
done_with_suite
