# needs: java mvn
# exec: self
# The JUnit extension by Maven.
. "$ACRITE_SUITES/lib.sh"
export ACRITE_BIN=$ACRITE
cp -r "$ACRITE_SUITES/../../examples/java" "$WORK/java"
cd "$WORK/java"
step "an instance of its own"
mvn -q -B test >"$WORK/own" 2>&1 || { tail -40 "$WORK/own"; fail "mvn test"; }
match "the report" "$(grep -h -o 'tests="[0-9]*" errors="[0-9]*" skipped="[0-9]*" failures="[0-9]*"' target/surefire-reports/*.xml)" \
  'tests="4" errors="0" skipped="0" failures="0"'
done_with_suite
