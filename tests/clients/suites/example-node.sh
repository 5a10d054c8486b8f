# needs: node curl
# exec: self
# The Node helper by node's own test runner: with an instance of its own, and within `acrite exec`.
. "$ACRITE_SUITES/lib.sh"
export ACRITE_BIN=$ACRITE
cd "$ACRITE_SUITES/../../examples/node"
step "an instance of its own"
node --test --test-reporter=tap test/ >"$WORK/own" || { cat "$WORK/own"; fail "node --test"; }
match "passed" "$(grep '^# pass' "$WORK/own")" '# pass 4'
step "within acrite exec"
"$ACRITE" exec --offline -- node --test --test-reporter=tap test/ >"$WORK/exec" || { cat "$WORK/exec"; fail "node --test"; }
match "passed" "$(grep '^# pass' "$WORK/exec")" '# pass 4'
done_with_suite
