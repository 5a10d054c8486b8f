# needs: az-2.60.0
# The commands of `az acr` that keep something in a registry, by the older az: other api-versions, same answers.
. "$ACRITE_SUITES/lib.sh"

az group create --name rg-acr --location eastus >/dev/null
az acr create --name olderreg01 --resource-group rg-acr --sku Premium --admin-enabled true >/dev/null
match password "$(az acr credential show --name olderreg01 --query 'passwords[0].value' -o tsv)" '[A-Za-z0-9]{52}'
az acr token create --registry olderreg01 --name token01 --repository app content/read metadata/read >/dev/null
equal actions "$(az acr scope-map show --registry olderreg01 --name token01-scope-map --query 'length(actions)' -o tsv)" 2
equal passwords "$(az acr token show --registry olderreg01 --name token01 --query 'length(credentials.passwords)' -o tsv)" 2
az acr webhook create --registry olderreg01 --name hook01 --uri http://127.0.0.1:9/ --actions push >/dev/null
equal uri "$(az acr webhook get-config --registry olderreg01 --name hook01 --query serviceUri -o tsv)" http://127.0.0.1:9/
az acr replication create --registry olderreg01 --location centralus >/dev/null
equal places "$(az acr replication list --registry olderreg01 --query 'length(@)' -o tsv)" 2
az acr cache create --registry olderreg01 --name rule01 --source-repo mcr.microsoft.com/ubuntu --target-repo ubuntu >/dev/null
equal target "$(az acr cache show --registry olderreg01 --name rule01 --query targetRepository -o tsv)" ubuntu
equal used "$(az acr show-usage --name olderreg01 --query "value[?name=='Geo-replications'].currentValue | [0]" -o tsv)" 1
az acr delete --name olderreg01 --yes
done_with_suite
