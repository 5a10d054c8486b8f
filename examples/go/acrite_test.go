package acritetest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// group asks Azure as its clients do: over HTTPS, by the environment that Main has set.
func group(t *testing.T, method string) int {
	t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"https://management.azure.com/.default"},
		"client_id": {os.Getenv("AZURE_CLIENT_ID")}, "client_secret": {os.Getenv("AZURE_CLIENT_SECRET")},
	}
	signedIn, err := http.PostForm("https://login.microsoftonline.com/"+os.Getenv("AZURE_TENANT_ID")+"/oauth2/v2.0/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer signedIn.Body.Close()
	var token struct {
		Value string `json:"access_token"`
	}
	if err := json.NewDecoder(signedIn.Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	path := "https://management.azure.com/subscriptions/" + os.Getenv("AZURE_SUBSCRIPTION_ID") + "/resourceGroups/tests?api-version=2021-04-01"
	request, err := http.NewRequest(method, path, strings.NewReader(`{"location": "eastus"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Value)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func equal(t *testing.T, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestAGroupIsMade(t *testing.T) {
	World(t)
	equal(t, group(t, "GET"), 404)
	equal(t, group(t, "PUT"), 201)
}

func TestTheNextTestDoesNotSeeIt(t *testing.T) {
	World(t)
	equal(t, group(t, "GET"), 404)
	equal(t, group(t, "PUT"), 201)
}

func TestAFaultHitsAsOftenAsItSays(t *testing.T) {
	world := World(t)
	world.Fault(t, Rule{Service: "arm", Operation: "*/resourceGroups/write", Status: 429, Times: 1})
	equal(t, group(t, "PUT"), 429)
	equal(t, group(t, "PUT"), 201)
	equal(t, world.Faults(t)[0].Hit, 1)
}

func TestTimePassesAtOnce(t *testing.T) { World(t).Advance(t, 86400) }
