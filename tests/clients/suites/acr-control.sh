# needs: az-current
# `az acr` from end to end, control plane: credentials, tokens, webhooks, replications.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null

step "names, creation, lists"
equal free "$(az acr check-name --name suitereg01 --query nameAvailable -o tsv)" true
az acr create --name suitereg01 --resource-group rg-acr --sku Premium >/dev/null
equal free "$(az acr check-name --name suitereg01 --query reason -o tsv)" AlreadyExists
equal sku "$(az acr show --name suitereg01 --query sku.name -o tsv)" Premium
equal registries "$(az acr list --resource-group rg-acr --query 'length(@)' -o tsv)" 1
equal limit "$(az acr show-usage --name suitereg01 --query "value[?name=='Webhooks'].limit | [0]" -o tsv)" 500
equal endpoint "$(az acr show-endpoints --name suitereg01 --query loginServer -o tsv)" suitereg01.azurecr.io

step "the admin user"
az acr update --name suitereg01 --admin-enabled true >/dev/null
before=$(az acr credential show --name suitereg01 --query 'passwords[1].value' -o tsv)
equal length "${#before}" 52
after=$(az acr credential renew --name suitereg01 --password-name password2 --query 'passwords[1].value' -o tsv)
differ password "$before" "$after"
equal status "$(curl -s -o /dev/null -w '%{http_code}' -u "suitereg01:$after" https://suitereg01.azurecr.io/v2/)" 200
equal status "$(curl -s -o /dev/null -w '%{http_code}' -u "suitereg01:$before" https://suitereg01.azurecr.io/v2/)" 401

step "scope maps and tokens"
az acr scope-map create --registry suitereg01 --name readers --repository app content/read --description first >/dev/null
az acr scope-map update --registry suitereg01 --name readers --add-repository app metadata/read >/dev/null
equal actions "$(az acr scope-map show --registry suitereg01 --name readers --query 'length(actions)' -o tsv)" 2
match maps "$(az acr scope-map list --registry suitereg01 --query 'length(@)' -o tsv)" '[6-9]'
az acr token create --registry suitereg01 --name token01 --scope-map readers --no-passwords true >/dev/null
az acr token create --registry suitereg01 --name token02 --repository app content/read >/dev/null
password=$(az acr token credential generate --registry suitereg01 --name token01 --password1 --expiration-in-days 30 --query 'passwords[0].value' -o tsv)
equal length "${#password}" 52
equal passwords "$(az acr token show --registry suitereg01 --name token02 --query 'length(credentials.passwords)' -o tsv)" 2
az acr token credential delete --registry suitereg01 --name token02 --password1 >/dev/null
equal passwords "$(az acr token show --registry suitereg01 --name token02 --query 'credentials.passwords[0].name' -o tsv)" password2
equal status "$(az acr token update --registry suitereg01 --name token02 --status disabled --query status -o tsv)" disabled
equal tokens "$(az acr token list --registry suitereg01 --query 'length(@)' -o tsv)" 2
az acr token delete --registry suitereg01 --name token02 --yes
az acr scope-map delete --registry suitereg01 --name token02-scope-map --yes
equal tokens "$(az acr show-usage --name suitereg01 --query "value[?name=='Tokens'].currentValue | [0]" -o tsv)" 1

step "webhooks"
"$PYTHON" -u -c '
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
print(server.server_address[1])
server.serve_forever()' >"$WORK/port" &
server=$!
at_exit 'kill $server 2>/dev/null'
until [ -s "$WORK/port" ]; do sleep 0.1; done
port=$(cat "$WORK/port")
az acr webhook create --registry suitereg01 --name hook01 --uri "http://127.0.0.1:$port/" --actions push delete --headers key=value >/dev/null
equal header "$(az acr webhook get-config --registry suitereg01 --name hook01 --query customHeaders.key -o tsv)" value
match ping "$(az acr webhook ping --registry suitereg01 --name hook01 --query id -o tsv)" '[0-9a-f-]{36}'
for _ in $(seq 20); do
  events=$(az acr webhook list-events --registry suitereg01 --name hook01 --query 'length(@)' -o tsv)
  [ "$events" = 0 ] || break
done
events=$(az acr webhook list-events --registry suitereg01 --name hook01)
equal event "$(field eventRequestMessage.content.action <<<"${events:1:-1}")" ping
equal answer "$(field eventResponseMessage.statusCode <<<"${events:1:-1}")" 200
equal scope "$(az acr webhook update --registry suitereg01 --name hook01 --scope app:* --status disabled --query scope -o tsv)" 'app:*'
equal status "$(az acr webhook show --registry suitereg01 --name hook01 --query status -o tsv)" disabled
equal webhooks "$(az acr webhook list --registry suitereg01 --query 'length(@)' -o tsv)" 1
az acr webhook delete --registry suitereg01 --name hook01

step "replications"
az acr replication create --registry suitereg01 --location centralus >/dev/null
equal status "$(az acr replication show --registry suitereg01 --name centralus --query status.displayStatus -o tsv)" Ready
equal places "$(az acr replication list --registry suitereg01 --query 'length(@)' -o tsv)" 2
equal tag "$(az acr replication update --registry suitereg01 --name centralus --tags a=b --query tags.a -o tsv)" b
az acr update --name suitereg01 --data-endpoint-enabled true --regional-endpoints enabled >"$WORK/updated.json"
equal enabled "$(field regionalEndpoints <"$WORK/updated.json")" Enabled
endpoints() { az acr show-endpoints --name suitereg01 --query "join(' ', $1[].endpoint)" -o tsv; }
equal data "$(endpoints dataEndpoints)" "suitereg01.centralus.data.azurecr.io suitereg01.eastus.data.azurecr.io"
equal regional "$(endpoints regionalEndpoints)" "suitereg01.centralus.geo.azurecr.io suitereg01.eastus.geo.azurecr.io"
az acr update --name suitereg01 --data-endpoint-enabled false --regional-endpoints disabled >/dev/null
az acr replication delete --registry suitereg01 --name centralus
equal places "$(az acr replication list --registry suitereg01 --query 'length(@)' -o tsv)" 1

step "deletion"
az acr delete --name suitereg01 --yes
equal registries "$(az acr list --query 'length(@)' -o tsv)" 0
done_with_suite
