# ACR Tasks by az and buildah: builds, task files, tasks with identities, credentials and timers, runs and their logs.
# Sourced by suites that say which az.
#
#   NO_IDENTITY_REMOVE   this az fails at `az acr task identity remove` before it asks anything
#   NO_LOGS              what this az says where it gets no log
. "$ACRITE_SUITES/lib.sh"

R=(--registry taskcmk)
P=(--registry taskplain)
runs() { az acr task list-runs "$@" --query "[].name" --output tsv; }
run_field() { az acr task show-run "${R[@]}" --run-id "$1" --query "$2" --output tsv; } # run_field RUN QUERY
says() { # says WHAT TEXT WANTED
  [[ $2 == *"$3"* ]] || fail "$1 does not say '$3' but: $2"
  CHECKS=$((CHECKS + 1))
}

plain_and_cmk task

step "a base image from the machine's own files"
# A shell, and what it is linked with: nothing can be fetched here.
mkdir -p "$WORK/base/root"
shell=$(readlink -f /bin/sh)
for file in "$shell" $(ldd "$shell" | grep -o '/[^ ]*'); do
  install -D "$(readlink -f "$file")" "$WORK/base/root$file"
done
mkdir -p "$WORK/base/root/bin"
[ "$shell" = /bin/sh ] || cp "$shell" "$WORK/base/root/bin/sh"
printf 'FROM scratch\nCOPY root /\nCMD ["/bin/sh"]\n' >"$WORK/base/Dockerfile"
out=$(az acr build "${R[@]}" --image base:v1 "$WORK/base" 2>&1) || fail "az acr build: $out"
says "the log" "$out" "Run ID: cf1 was successful"

step "a build of two stages, pulled by skopeo"
mkdir "$WORK/app"
cat >"$WORK/app/Dockerfile" <<'DOCKERFILE'
FROM taskcmk.azurecr.io/base:v1 AS make
ARG WORD=none
RUN echo "made with $WORD" >/made
FROM taskcmk.azurecr.io/base:v1
COPY --from=make /made /made
COPY own /own
DOCKERFILE
echo "MARKER-$RANDOM" >"$WORK/app/own"
out=$(az acr build "${R[@]}" --image 'app:{{.Run.ID}}' --image app:latest --build-arg WORD=care "$WORK/app" 2>&1) || fail "az acr build: $out"
says "the log" "$out" "Successfully pushed image: taskcmk.azurecr.io/app:cf2"
digest=$(run_field cf2 'outputImages[0].digest')
equal "what was put out" "$(run_field cf2 'outputImages[].join(`:`, [registry,repository,tag]) | join(`,`, @)')" \
  "taskcmk.azurecr.io:app:cf2,taskcmk.azurecr.io:app:latest"
login taskcmk
skopeo --insecure-policy copy --quiet --src-creds "$AAD_USER:$TOKEN" docker://taskcmk.azurecr.io/app:cf2 "dir:$WORK/pulled"
equal "the digest" "$(skopeo inspect --creds "$AAD_USER:$TOKEN" --format '{{.Digest}}' docker://taskcmk.azurecr.io/app:cf2)" "$digest"
for layer in "$WORK"/pulled/*; do tar -xzf "$layer" -C "$WORK/pulled" 2>/dev/null || true; done
equal "what was made" "$(cat "$WORK/pulled/made") $(cat "$WORK/pulled/own")" "made with care $(cat "$WORK/app/own")"
az acr build "${R[@]}" --image app:target --target make --no-push "$WORK/app" >/dev/null 2>&1
equal "what was not pushed" "$(run_field cf3 'outputImages')" ""

step "a build that fails"
printf 'FROM taskcmk.azurecr.io/base:v1\nRUN exit 7\n' >"$WORK/app/Broken"
refused "Run failed" az acr build "${R[@]}" --image app:broken --file "$WORK/app/Broken" "$WORK/app"
equal "its state" "$(run_field cf4 status)" Failed

step "a task file of several steps"
cat >"$WORK/app/acb.yaml" <<'YAML'
version: v1.1.0
steps:
  - id: build
    build: -t $Registry/steps:$ID -f Dockerfile .
  - id: look
    when: [build]
    cmd: $Registry/base:v1 /bin/sh -c "while read line; do echo read $line; done </workspace/own"
    env: ["A=b"]
  - id: push
    when: [look]
    push: ["$Registry/steps:$ID"]
YAML
out=$(az acr run "${R[@]}" --file acb.yaml "$WORK/app" 2>&1) || fail "az acr run: $out"
says "the log" "$out" "read $(cat "$WORK/app/own")"
equal "its image" "$(run_field cf5 'outputImages[0].tag')" cf5
out=$(az acr run "${R[@]}" --cmd 'taskcmk.azurecr.io/base:v1 /bin/sh -c "echo $((6*7))"' /dev/null 2>&1) || fail "az acr run: $out"
says "the log" "$out" 42

refused "Run failed" az acr pack build "${R[@]}" --image packed:v1 --builder taskcmk.azurecr.io/base:v1 "$WORK/app" # nothing can be fetched

step "a task, its runs and their logs"
T=("${R[@]}" --name task01)
cat >"$WORK/task.yaml" <<'YAML'
version: v1.1.0
steps:
  - cmd: $Registry/base:v1 /bin/sh -c "echo {{.Values.word}} {{.Values.hidden}}"
YAML
az acr task create "${T[@]}" --file "$WORK/task.yaml" --context /dev/null --set word=first --set-secret hidden=s3cret \
  --assign-identity >"$WORK/task.json"
match "its identity" "$(field identity.principalId <"$WORK/task.json")" '[0-9a-f-]{36}'
out=$(az acr task run "${T[@]}" --set word=second 2>&1) || fail "az acr task run: $out"
says "the log" "$out" "second ***"
last=$(runs "${R[@]}" --name task01 --top 1)
says "az acr task logs" "$(az acr task logs "${R[@]}" --run-id "$last" 2>&1)" "second ***"
says "az acr task logs of the task" "$(az acr task logs "${T[@]}" 2>&1)" "second ***"
equal "its task" "$(run_field "$last" task)" task01
equal "runs of an image" "$(runs "${R[@]}" --image app:cf2)" cf2
equal "the first run that failed" "$(runs "${R[@]}" --run-status Failed | tail -1)" cf4
az acr task update-run "${R[@]}" --run-id "$last" --no-archive false >/dev/null
equal "what is kept" "$(run_field "$last" isArchiveEnabled)" true
az acr task update "${T[@]}" --status Disabled >/dev/null
equal "its state" "$(az acr task show "${T[@]}" --query status --output tsv)" Disabled
equal "tasks" "$(az acr task list "${R[@]}" --query '[].name' --output tsv)" task01

step "identities and credentials of a task"
az acr task identity assign "${T[@]}" --identities "$identity" >/dev/null
match "its identities" "$(az acr task identity show "${T[@]}" --query type --output tsv)" '.*UserAssigned'
[ -n "${NO_IDENTITY_REMOVE:-}" ] || az acr task identity remove "${T[@]}" --identities "$identity" >/dev/null
az acr task credential add "${T[@]}" --login-server other.example --username robot --password right >/dev/null
equal "its credentials" "$(az acr task credential list "${T[@]}" --query 'keys(@)' --output tsv)" other.example
az acr task credential update "${T[@]}" --login-server other.example --username robot --password other >/dev/null
az acr task credential remove "${T[@]}" --login-server other.example >/dev/null
equal "no credentials" "$(az acr task credential list "${T[@]}" --query 'keys(@)' --output tsv)" ""

step "a daily timer, and three days"
az acr task update "${T[@]}" --status Enabled >/dev/null
az acr task timer add "${T[@]}" --timer-name daily --schedule '0 3 * * *' >/dev/null
az acr task timer update "${T[@]}" --timer-name daily --schedule '30 4 * * *' >/dev/null
equal "its timer" "$(az acr task timer list "${T[@]}" --query '[0].schedule' --output tsv)" '30 4 * * *'
before=$(runs "${T[@]}" | wc -l)
acrite clock advance 72h >/dev/null
equal "runs that the timer started" "$(($(runs "${T[@]}" | wc -l) - before))" 3
equal "their instants" "$(az acr task list-runs "${T[@]}" --top 3 --query '[].createTime' --output tsv | cut -c12-16 | sort -u)" 04:30
az acr task timer remove "${T[@]}" --timer-name daily >/dev/null

step "cancel a run"
cat >"$WORK/long.yaml" <<'YAML'
steps:
  - cmd: taskcmk.azurecr.io/base:v1 /bin/sh -c "while true; do :; done"
YAML
az acr run "${R[@]}" --file "$WORK/long.yaml" --no-wait /dev/null 2>/dev/null
long=$(runs "${R[@]}" --top 1)
az acr task cancel-run "${R[@]}" --run-id "$long"
equal "its state" "$(run_field "$long" status)" Canceled

step "a new base image starts the task that builds on it, once"
B=("${R[@]}" --name onbase)
az acr task create "${B[@]}" --image 'onbase:{{.Run.ID}}' --context https://github.com/nobody/nothing.git --file Dockerfile \
  --commit-trigger-enabled false --base-image-trigger-enabled true >/dev/null
# az wants the file both in the source and where it is called.
out=$(cd "$WORK/app" && az acr task run "${B[@]}" --context . --file Dockerfile 2>&1) || fail "az acr task run: $out"
equal "what it builds on" "$(az acr task show "${B[@]}" --query 'step.baseImageDependencies[0].repository' --output tsv)" base
before=$(runs "${B[@]}" | wc -l)
echo more >"$WORK/base/root/more"
az acr build "${R[@]}" --image base:v1 "$WORK/base" >/dev/null 2>&1
equal "runs that the push started" "$(($(runs "${B[@]}" | wc -l) - before))" 1
equal "its trigger" "$(az acr task list-runs "${B[@]}" --top 1 --query '[0].imageUpdateTrigger.images[0].repository' --output tsv)" base

step "task runs, agent pools"
az acr agentpool create "${R[@]}" --name pool01 --tier S1 >/dev/null
equal "its agents" "$(az acr agentpool update "${R[@]}" --name pool01 --count 2 --query count --output tsv)" 2
equal "what waits" "$(az acr agentpool show "${R[@]}" --name pool01 --queue-count --query count --output tsv)" 0
equal "pools" "$(az acr agentpool list "${R[@]}" --query '[].name' --output tsv)" pool01
out=$(az acr build "${R[@]}" --agent-pool pool01 --image pooled:v1 "$WORK/base" 2>&1) || fail "az acr build: $out"
# Gone at once: az, which waits for it, would not find it to wait for.
az acr agentpool delete "${R[@]}" --name pool01 --yes --no-wait >/dev/null
equal "pools that are left" "$(az acr agentpool list "${R[@]}" --query 'length(@)' --output tsv)" 0
cat >"$WORK/taskrun.json" <<JSON
{"\$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
 "resources": [{"type": "Microsoft.ContainerRegistry/registries/taskRuns", "apiVersion": "2019-06-01-preview",
  "name": "taskcmk/once01", "location": "eastus", "properties": {"forceUpdateTag": "a", "runRequest": {
   "type": "EncodedTaskRunRequest", "platform": {"os": "linux"},
   "encodedTaskContent": "$(printf 'steps: [{cmd: taskcmk.azurecr.io/base:v1 /bin/sh -c "echo by template"}]' | base64 -w0)"}}}]}
JSON
az deployment group create --resource-group rg --template-file "$WORK/taskrun.json" >/dev/null
equal "task runs" "$(az acr taskrun list "${R[@]}" --query '[].name' --output tsv)" once01
equal "its run" "$(az acr taskrun show "${R[@]}" --name once01 --query 'runRequest.type' --output tsv)" EncodedTaskRunRequest
says "its log" "$(az acr taskrun logs "${R[@]}" --name once01 2>&1)" "by template"
az acr taskrun delete "${R[@]}" --name once01 --yes >/dev/null

step "while the key is revoked no run starts, and says why"
az keyvault delete-policy --name taskvault --object-id "$principal" >/dev/null
refused "" az acr build "${R[@]}" --image app:refused "$WORK/app"
refused "${NO_LOGS:-Could not get logs}" az acr run "${R[@]}" --cmd 'taskcmk.azurecr.io/base:v1' /dev/null
last=$(runs "${R[@]}" --top 1)
equal "its state" "$(run_field "$last" status)" Failed
says "its reason" "$(run_field "$last" runErrorMessage)" "$BLOCKED"
refused "${NO_LOGS:-Could not get logs}" az acr task logs "${R[@]}" --run-id cf2
az keyvault set-policy --name taskvault --object-id "$principal" --key-permissions get unwrapKey wrapKey >/dev/null

step "logs of a registry with a customer-managed key are kept for a day, others for a month"
az acr build "${R[@]}" --image app:again "$WORK/base" >/dev/null 2>&1
last=$(runs "${R[@]}" --top 1)
az acr build "${P[@]}" --image app:plain "$WORK/base" >/dev/null 2>&1
az acr task logs "${R[@]}" --run-id "$last" >/dev/null 2>&1 || fail "the log of $last cannot be read"
acrite clock advance 25h >/dev/null
refused "${NO_LOGS:-Could not get logs}" az acr task logs "${R[@]}" --run-id "$last"
says "the plain registry's log" "$(az acr task logs "${P[@]}" --run-id cf1 2>&1)" "was successful"
acrite clock advance 31d >/dev/null
refused "${NO_LOGS:-Could not get logs}" az acr task logs "${P[@]}" --run-id cf1

az acr task delete "${T[@]}" --yes
equal "tasks that are left" "$(az acr task list "${R[@]}" --query '[].name' --output tsv)" onbase
done_with_suite
