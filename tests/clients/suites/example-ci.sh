# needs: curl go
# exec: self
# The composite action's own step as a runner runs it, and the CI files by a linter or a YAML reader.
. "$ACRITE_SUITES/lib.sh"
examples=$ACRITE_SUITES/../../examples
step "the action starts acrite and later steps find it"
export RUNNER_TEMP=$WORK GITHUB_ENV=$WORK/env GITHUB_OUTPUT=$WORK/output ACRITE_BINARY=$ACRITE
export ACRITE_SERVE_OPTIONS="--offline --template $ACRITE_SUITES/../../fixtures/cmk.json"
bash "$examples/github-actions/start.sh"
at_exit "kill $(cat "$WORK/acrite/pid")"
set -a
while IFS='=' read -r name value; do export "$name=$value"; done <"$WORK/env"
set +a
equal "the output" "$(cat "$WORK/output")" "url=$ACRITE_URL"
match "the registry of the template" "$("$ACRITE" status)" '(.|\n)*Premium(.|\n)*'
curl -sS -o "$WORK/answer" -w '%{http_code}' https://management.azure.com/subscriptions?api-version=2022-12-01 >"$WORK/code"
equal "Azure, asked without a token" "$(cat "$WORK/code")" 401
step "a start that fails says why"
export ACRITE_SERVE_OPTIONS="--no-such-option" RUNNER_TEMP=$WORK/bad
refused "unexpected argument" bash "$examples/github-actions/start.sh"
step "actionlint"
GOBIN=$WORK/bin GOFLAGS=-mod=mod HTTPS_PROXY= https_proxy= SSL_CERT_FILE= go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
mkdir -p "$WORK/repository/.github/workflows" "$WORK/repository/examples"
cp "$examples/github-actions/workflow.yml" "$WORK/repository/.github/workflows/"
cp -r "$examples/github-actions" "$WORK/repository/examples/"
cp "$examples/../.github/workflows/"*.yml "$WORK/repository/.github/workflows/"
(cd "$WORK/repository" && git init -q . && "$WORK/bin/actionlint" -shellcheck= -color=false) || fail "actionlint"
done_with_suite
