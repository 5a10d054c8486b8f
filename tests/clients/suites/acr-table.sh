# needs: az-current
# The table in docs/az-acr.md has exactly the commands that az itself has.
. "$ACRITE_SUITES/lib.sh"

step "az's own list of commands"
"$PYTHON" - "$ACRITE_SUITES/../../docs/az-acr.md" <<'PY'
import os, re, sys
import azure.cli.command_modules.acr as acr
own, group = set(), ""
for line in open(os.path.join(os.path.dirname(acr.__file__), "commands.py")):
    if found := re.search(r"command_group\(\s*'([^']+)'", line):
        group = found[1]
    if found := re.search(r"g\.\w*command\('([^']+)'", line):
        own.add(f"{group} {found[1]}")
table = set(re.findall(r"^\| `az (acr [^`]+)` \|", open(sys.argv[1]).read(), re.M))
print("missing in the table:", sorted(own - table), "; not in az:", sorted(table - own))
sys.exit(own != table)
PY
CHECKS=$((CHECKS + 1))
done_with_suite
