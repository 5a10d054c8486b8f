// Package acritetest starts acrite, points this process at it, and drives it. It knows nothing of Azure.
package acritetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Acrite is a running instance.
type Acrite struct {
	URL     string
	process *exec.Cmd
}

// Rule says which calls fail and how; see docs/faults.md.
type Rule struct {
	Service    string  `json:"service"`
	Operation  string  `json:"operation,omitempty"`
	Vault      string  `json:"vault,omitempty"`
	Registry   string  `json:"registry,omitempty"`
	Key        string  `json:"key,omitempty"`
	Repository string  `json:"repository,omitempty"`
	Caller     string  `json:"caller,omitempty"`
	Status     int     `json:"status,omitempty"`
	Latency    float64 `json:"latency,omitempty"`
	Drop       bool    `json:"drop,omitempty"`
	CutAfter   *int    `json:"cut_after,omitempty"`
	Full       bool    `json:"full,omitempty"`
	Times      int     `json:"times,omitempty"`
	After      int     `json:"after,omitempty"`
	RetryAfter int     `json:"retry_after,omitempty"`
}

// Fault is a rule and what became of it.
type Fault struct {
	Rule
	ID      int `json:"id"`
	Matched int `json:"matched"`
	Hit     int `json:"hit"`
}

// The emulator itself is never asked by way of a proxy.
var direct = &http.Client{Transport: &http.Transport{}}

var shared *Acrite

const base = "go-test"

func program() string {
	if named := os.Getenv("ACRITE_BIN"); named != "" {
		return named
	}
	return "acrite"
}

// Start finds the instance that this process runs in, else starts one of its own.
func Start(options ...string) (*Acrite, error) {
	if url := os.Getenv("ACRITE_URL"); url != "" {
		return &Acrite{URL: url}, nil
	}
	process := exec.Command(program(), append([]string{"serve", "--ephemeral", "--listen", "127.0.0.1:0"}, options...)...)
	process.Stderr = os.Stderr
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		return nil, errors.Join(errors.New("acrite did not start"), process.Wait())
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return &Acrite{URL: strings.TrimPrefix(lines.Text(), "acrite listening on "), process: process}, nil
}

// Stop stops an instance of one's own.
func (a *Acrite) Stop() error {
	if a.process == nil {
		return nil
	}
	if err := a.process.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return a.process.Wait()
}

// Setenv points Azure's clients in this process at the instance.
func (a *Acrite) Setenv() error {
	ask := exec.Command(program(), "env", "--shell", "github")
	ask.Env = append(os.Environ(), "ACRITE_URL="+a.URL)
	said, err := ask.Output()
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
		name, value, _ := strings.Cut(line, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Call uses the control API.
func (a *Acrite) Call(method, path string, body, answer any) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, a.URL+"/acrite/v1/"+path, &sent)
	if err != nil {
		return err
	}
	if token := os.Getenv("ACRITE_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := direct.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error struct{ Message string } }
		_ = json.NewDecoder(response.Body).Decode(&refusal)
		return fmt.Errorf("acrite: %s %s: %s", method, path, refusal.Error.Message)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// Save, Load and Forget keep worlds by name.
func (a *Acrite) Save(name string) error {
	return a.Call("POST", "snapshots", map[string]string{"name": name}, nil)
}
func (a *Acrite) Load(name string) error {
	return a.Call("POST", "snapshots/"+name+"/load", struct{}{}, nil)
}
func (a *Acrite) Forget(name string) error { return a.Call("DELETE", "snapshots/"+name, nil, nil) }

// Fault makes calls fail until the end of the test.
func (a *Acrite) Fault(t testing.TB, rule Rule) {
	t.Helper()
	if err := a.Call("POST", "faults", rule, nil); err != nil {
		t.Fatal(err)
	}
}

// Faults are all rules, with their counts.
func (a *Acrite) Faults(t testing.TB) []Fault {
	t.Helper()
	var said struct{ Faults []Fault }
	if err := a.Call("GET", "faults", nil, &said); err != nil {
		t.Fatal(err)
	}
	return said.Faults
}

// Advance lets time pass, in seconds.
func (a *Acrite) Advance(t testing.TB, seconds float64) {
	t.Helper()
	if err := a.Call("POST", "clock", map[string]float64{"advance": seconds}, nil); err != nil {
		t.Fatal(err)
	}
}

// Main starts the instance that all tests share, and runs them.
func Main(m *testing.M) int {
	var err error
	if shared, err = Start(); err == nil {
		if err = shared.Setenv(); err == nil {
			err = shared.Save(base)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := errors.Join(shared.Forget(base), shared.Stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// World is the instance with the world as it was at the start.
func World(t testing.TB) *Acrite {
	t.Helper()
	if err := shared.Load(base); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.Call("DELETE", "faults", nil, nil); err != nil {
			t.Error(err)
		}
	})
	return shared
}
