# needs: ip curl
# exec: self
# An emulator that other machines can reach: what they are led to through it, with and without its token. Each machine
# is a network namespace: the emulator's, a neighbour on the same network, and a container on a network of the
# emulator's machine alone.
if [ -z "${APART:-}" ]; then
  APART=yes exec unshare --map-root-user --net --mount bash "$0"
fi
. "$ACRITE_SUITES/lib.sh"

machine() { # machine: a new namespace; MACHINE is a process in it
  unshare --net sleep 900 &
  MACHINE=$!
  at_exit "kill $MACHINE"
  until [ "$(readlink /proc/$MACHINE/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
}
on() { nsenter --net="/proc/$1/ns/net" "${@:2}"; } # on MACHINE COMMAND...
join() { # join MACHINE OWN-ADDRESS ITS-ADDRESS: a network between this machine and that one
  ip link add "to$1" type veth peer name eth0 netns "$1"
  ip addr add "$2/24" dev "to$1" && ip link set "to$1" up
  on "$1" ip addr add "$3/24" dev eth0
  on "$1" ip link set eth0 up && on "$1" ip link set lo up
}

step "three machines"
ip link set lo up
machine && NEIGHBOUR=$MACHINE
machine && CONTAINER=$MACHINE
join "$NEIGHBOUR" 10.77.0.1 10.77.0.2
join "$CONTAINER" 172.30.0.1 172.30.0.2
printf '127.0.0.1 localhost rebound.example\n10.77.0.1 emulator.example\n' >"$WORK/hosts"
mount --bind "$WORK/hosts" /etc/hosts

cat >"$WORK/service.py" <<'PY'
import http.server, sys
class Service(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get('content-length') or 0))
        text = sys.argv[3].encode()
        self.send_response(200)
        self.send_header('content-length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = answer
    def log_message(self, *_): print('asked', flush=True)
server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Service)
print('listening', flush=True)
server.serve_forever()
PY
service() { # service MACHINE ADDRESS PORT TEXT
  : >"$WORK/service.$3"
  nsenter --net="/proc/$1/ns/net" "$PYTHON" "$WORK/service.py" "$2" "$3" "$4" >"$WORK/service.$3" &
  at_exit "kill $!"
  until grep -q listening "$WORK/service.$3"; do sleep 0.1; done
}
service self 127.0.0.1 7001 private-to-the-machine
service self 10.77.0.1 7002 at-an-address-of-the-machine
service "$CONTAINER" 172.30.0.2 7003 in-a-container
service "$NEIGHBOUR" 10.77.0.2 7004 at-the-neighbour

serve() { # serve [NAME=VALUE...]: the emulator, open to all
  mkdir -p "$WORK/data"
  : >"$WORK/greeting"
  env "$@" "$ACRITE" serve --listen 0.0.0.0:4443 --data-dir "$WORK/data" >"$WORK/greeting" 2>"$WORK/log" &
  EMULATOR=$!
  at_exit "kill $EMULATOR 2>/dev/null"
  until grep -q listening "$WORK/greeting"; do sleep 0.1; done
}
serve
TOKEN=$(sed -n 's/^  token  *\([^ ]*\) .*/\1/p' "$WORK/greeting")
match "the token" "$TOKEN" '[0-9a-f]{32}'
equal "who may read the token" "$(stat -c %a "$WORK/data/instance.json")" 600

neighbour() { on "$NEIGHBOUR" curl --silent --show-error --max-time 20 --noproxy '' "$@" 2>&1; }
PROXY=http://10.77.0.1:4443
WITH_TOKEN=http://any:$TOKEN@10.77.0.1:4443

step "nobody from elsewhere is led to what only this machine reaches"
for target in 127.0.0.1:7001 localhost:7001 rebound.example:7001 127.1:7001 0.0.0.0:7001 '[::ffff:127.0.0.1]:7001' \
  10.77.0.1:7002 emulator.example:7002 172.30.0.2:7003; do
  for tunnel in --no-proxytunnel --proxytunnel; do
    status=$(neighbour $tunnel --proxy "$PROXY" --output "$WORK/answer" --write-out '%{http_code}%{http_connect}' "http://$target/" || true)
    match "the answer about $target ($tunnel)" "${status//[^0-9]/}" '.*407.*'
    refused "" grep -q 'private\|address-of\|container' "$WORK/answer"
    said=$(neighbour $tunnel --proxy "$WITH_TOKEN" "http://$target/")
    match "what is at $target, with the token ($tunnel)" "$said" 'private-to-the-machine|at-an-address-of-the-machine|in-a-container'
  done
done
equal "what is on the neighbour's own network" "$(neighbour --proxy "$PROXY" http://10.77.0.2:7004/)" at-the-neighbour
equal "what is private, on this machine" "$(curl -sS --noproxy '' --proxy http://127.0.0.1:4443 http://127.0.0.1:7001/)" private-to-the-machine

step "nor to the emulator's own host"
IDENTITY=$(curl -sS --noproxy '*' http://127.0.0.1:4443/acrite/v1/health | field identity_header)
own() { neighbour --header "X-IDENTITY-HEADER: $IDENTITY" --write-out ' %{http_code}' --output /dev/null "$@"; }
for path in / /acrite/v1/health /acrite/v1/clock /acrite/v1/status /acrite/v1/audit /acrite/v1/msi/token; do
  for host in localhost:4443 127.0.0.1 10.77.0.1:4443 '[::1]'; do
    equal "$path by $host" "$(own --header "Host: $host" "$PROXY$path")" ' 401'
    match "$path by $host, with the token" "$(own --header "Host: $host" --user "any:$TOKEN" "$PROXY$path")" ' (200|400)'
  done
  equal "$path by the proxy" "$(own --proxy "$PROXY" "http://localhost:4443$path")" ' 401'
  equal "$path by a name that leads here" "$(own --header 'Host: rebound.example' --user "any:$TOKEN" "$PROXY$path")" ' 421'
done
equal "the clock" "$(own --header 'Host: localhost' --data '{"advance":1}' "$PROXY/acrite/v1/clock")" ' 401'
refused "ACRITE_TOKEN" on "$NEIGHBOUR" env -C "$WORK" ACRITE_URL="$PROXY" "$ACRITE" status
on "$NEIGHBOUR" env -C "$WORK" ACRITE_URL="$PROXY" ACRITE_TOKEN="$TOKEN" "$ACRITE" status --json >/dev/null
"$ACRITE" status --data-dir "$WORK/data" >/dev/null

step "what is emulated is open, and its own requests reach no further than who wants them"
from() { # from MACHINE METHOD PATH [BODY]: resource management, by the path below the group or the whole one
  local token group=/subscriptions/ac0e1e00-50b5-4000-8000-000000000002/resourceGroups/g
  [[ $3 != /subscriptions/* ]] || group=
  token=$(on "$1" curl -sS --header 'Host: login.microsoftonline.com' "$PROXY/ac0e1e00-7e4a-4000-8000-000000000001/oauth2/v2.0/token" \
    --data 'grant_type=client_credentials&client_id=ac0e1e00-de7e-4000-8000-000000000003&client_secret=acrite-developer-secret&scope=https://management.azure.com/.default' | field access_token)
  on "$1" curl -sS --request "$2" --header 'Host: management.azure.com' --header "Authorization: Bearer $token" \
    --header 'Content-Type: application/json' ${4:+--data "$4"} --dump-header "$WORK/head" \
    "$PROXY$group$3?api-version=2025-11-01"
}
own_machine() { PROXY=http://127.0.0.1:4443 from self "$@"; }
registry=/providers/Microsoft.ContainerRegistry/registries/reg01
from "$NEIGHBOUR" PUT "" '{"location":"eastus"}' >/dev/null
from "$NEIGHBOUR" PUT $registry '{"location":"eastus","sku":{"name":"Premium"},"properties":{}}' >/dev/null
heard() { # heard WHO HOOK: what came back to the only ping of a webhook
  local answer
  for _ in $(seq 200); do
    answer=$("$1" POST $registry/webhooks/$2/listEvents)
    [[ $answer == *statusCode* ]] && break
    sleep 0.1
  done
  printf '%s' "$answer"
}
them() { from "$NEIGHBOUR" "$@"; }
hook() { # hook WHO NAME URI
  "$1" PUT $registry/webhooks/$2 "{\"location\":\"eastus\",\"properties\":{\"serviceUri\":\"$3\",\"actions\":[\"push\"]}}" >/dev/null
  "$1" POST $registry/webhooks/$2/ping >/dev/null
}
asked() { grep -c asked "$WORK/service.$1" || true; }
before=$(asked 7001)
hook them theirs "http://127.0.0.1:7001/"
match "a webhook of theirs to this machine" "$(heard own_machine theirs)" '.*"502".*'
hook them theirs2 "http://172.30.0.2:7003/"
match "a webhook of theirs to the container" "$(heard own_machine theirs2)" '.*"502".*'
hook them theirs3 "http://10.77.0.2:7004/"
match "a webhook of theirs to their own network" "$(heard them theirs3)" '.*at-the-neighbour.*'
import() { # import WHO: what became of an import from a registry on this machine
  local operation answer
  "$1" POST $registry/importImage '{"source":{"registryUri":"localhost:7001","sourceImage":"app:v1"}}' >/dev/null
  operation=$(sed -n 's/^location: https:..management.azure.com\([^?]*\)?.*/\1/Ip' "$WORK/head" | tr -d '\r')
  for _ in $(seq 200); do
    answer=$("$1" GET "$operation")
    [[ $answer != *error* ]] || break
    sleep 0.1
  done
  printf '%s' "$answer"
}
match "an import of theirs from this machine" "$(import them)" '.*the machine that acrite runs on.*'
equal "requests to the private service" "$(asked 7001)" "$before"
import own_machine >/dev/null
differ "requests to the private service" "$(asked 7001)" "$before"
hook own_machine mine01 "http://127.0.0.1:7001/"
match "a webhook of ours to this machine" "$(heard own_machine mine01)" '.*private-to-the-machine.*'
match "the same, shown to them" "$(heard them mine01)" '.*"200".*'
refused "" grep -q private-to-the-machine <<<"$(heard them mine01)"

step "a proxy in the environment that is the emulator itself"
for proxy in http://10.77.0.1:4443 http://emulator.example:4443 http://127.0.0.1:4443 http://0.0.0.0:4443; do
  kill "$EMULATOR" && wait "$EMULATOR" || true
  serve HTTPS_PROXY=$proxy HTTP_PROXY=$proxy https_proxy=$proxy http_proxy=$proxy
  for tunnel in --no-proxytunnel --proxytunnel; do
    status=$(curl -sS $tunnel --noproxy '' --max-time 20 --proxy http://127.0.0.1:4443 --output "$WORK/answer" \
      --write-out '%{http_code}%{http_connect}' http://nowhere.invalid/ 2>"$WORK/complaint" || true)
    match "the answer through $proxy ($tunnel)" "$status" '.*502.*'
  done
  [ "$(ls "/proc/$EMULATOR/fd" | wc -l)" -lt 60 ] || fail "many connections are open"
  CHECKS=$((CHECKS + 1))
  refused "" grep -q 'Too many open files' "$WORK/log"
done

step "a token of one's own"
kill "$EMULATOR" && wait "$EMULATOR" || true
serve ACRITE_TOKEN=chosen
equal "the health" "$(own --header 'Host: localhost' --header 'Authorization: Bearer chosen' "$PROXY/acrite/v1/health")" ' 200'
equal "with the former one" "$(own --header 'Host: localhost' --user "any:$TOKEN" "$PROXY/acrite/v1/health")" ' 401'
done_with_suite
