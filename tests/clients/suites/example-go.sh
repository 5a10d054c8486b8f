# needs: go
# exec: self
# The Go helper by go test: with an instance of its own, and within `acrite exec`.
. "$ACRITE_SUITES/lib.sh"
export ACRITE_BIN=$ACRITE
cd "$ACRITE_SUITES/../../examples/go"
step "vet"
go vet ./...
step "an instance of its own"
go test -count=1 -v ./... | tee "$WORK/own"
equal "passed" "$(grep -c '^--- PASS' "$WORK/own")" 4
step "within acrite exec"
"$ACRITE" exec --offline -- go test -count=1 -v ./... | tee "$WORK/exec"
equal "passed" "$(grep -c '^--- PASS' "$WORK/exec")" 4
done_with_suite
