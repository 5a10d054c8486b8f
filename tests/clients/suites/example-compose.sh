# needs: curl skopeo
# exec: self
# The client of docker-compose.yml as its container runs it, against an instance that begins as the one there.
. "$ACRITE_SUITES/lib.sh"
root=$ACRITE_SUITES/../..
step "push, refused, pull again"
said=$("$ACRITE" exec --offline --template "$root/fixtures/cmk.json" -- \
  sh "$root/examples/compose/client.sh" "$root/fixtures/hello" 2>&1) || fail "$said"
match "what it says" "$said" "pushed(.|\n)*refused: .*$BLOCKED(.|\n)*pulled again, the same bytes"
step "the compose file names what is there"
"$PYTHON" - "$root" <<'CHECK'
import pathlib, re, sys
root = pathlib.Path(sys.argv[1])
text = (root / "docker-compose.yml").read_text()
for path in re.findall(r"^\s*(?:build:|- )\s*\.?/?((?:examples|fixtures)[\w/.-]*)", text, re.M):
    assert (root / path).exists(), path
constants = dict(re.findall(r"(AZURE_\w+): (\S+)", text))
known = (root / "src/domain/world/well_known.rs").read_text()
for value in (constants["AZURE_TENANT_ID"], constants["AZURE_CLIENT_ID"]):
    assert value in known or value in (root / "src/app/directory/mod.rs").read_text(), value
CHECK
done_with_suite
