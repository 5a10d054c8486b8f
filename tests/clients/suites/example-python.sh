# needs: pytest
# exec: self
# The pytest plugin by its own runner: with an instance of its own, and within `acrite exec`.
. "$ACRITE_SUITES/lib.sh"
export ACRITE_BIN=$ACRITE PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$ACRITE_SUITES/../../examples/python
PYTEST="$ACRITE_CLIENTS/pytest/bin/pytest -p acrite_testing.plugin -p no:cacheprovider -q"
cd "$ACRITE_SUITES/../../examples/python"
step "an instance of its own"
$PYTEST tests | tee "$WORK/own"
match "the outcome" "$(tail -1 "$WORK/own")" '5 passed.*'
step "within acrite exec"
"$ACRITE" exec --offline -- $PYTEST tests | tee "$WORK/exec"
match "the outcome" "$(tail -1 "$WORK/exec")" '5 passed.*'
done_with_suite
