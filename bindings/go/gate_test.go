package dlauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"
)

// gate is the test gate's control endpoint (tests/gate/README.md).
type gate struct{ t *testing.T }

// newGate resets the gate. It releases the requests of the last test that hang, and waits until they have ended.
func newGate(t *testing.T) gate {
	t.Helper()
	gate := gate{t}
	for gate.counts()["hanging"] > 0 {
		gate.release()
	}
	gate.post("/reset", "")
	gate.set(`{"lifetime": 3600}`)
	return gate
}

func (gate gate) control(method, path, body string) string {
	gate.t.Helper()
	request, err := http.NewRequest(method, os.Getenv("GATE_CONTROL_URL")+path, strings.NewReader(body))
	if err != nil {
		gate.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		gate.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		gate.t.Fatalf("%s %s: %s %s %v", method, path, response.Status, answer, err)
	}
	return string(answer)
}

func (gate gate) post(path, body string) { gate.t.Helper(); gate.control("POST", path, body) }
func (gate gate) plan(plan string)       { gate.t.Helper(); gate.post("/plan", plan) }
func (gate gate) set(settings string)    { gate.t.Helper(); gate.post("/set", settings) }
func (gate gate) release()               { gate.t.Helper(); gate.post("/release", "") }

// waits blocks until the counts are reached, such as "hanging=1".
func (gate gate) waits(counts string) { gate.t.Helper(); gate.control("GET", "/wait?"+counts, "") }

func (gate gate) lastToken() (token string) {
	gate.t.Helper()
	gate.decode(gate.control("GET", "/last_token", ""), &token)
	return token
}

func (gate gate) counts() (counts map[string]int) {
	gate.t.Helper()
	gate.decode(gate.control("GET", "/counts", ""), &counts)
	return counts
}

// counted checks what the gate has counted: pairs of a name and a number.
func (gate gate) counted(want map[string]int) {
	gate.t.Helper()
	counts := gate.counts()
	for name, number := range want {
		if counts[name] != number {
			gate.t.Errorf("%s: %d at the gate, not %d; all: %v", name, counts[name], number, counts)
		}
	}
}

func (gate gate) decode(text string, value any) {
	gate.t.Helper()
	if err := json.Unmarshal([]byte(text), value); err != nil {
		gate.t.Fatal(err, text)
	}
}

// opened is a handle at the gate, closed when the test ends.
func opened(t *testing.T, more dlauth.Options) *dlauth.Auth {
	t.Helper()
	options := dlauth.Options{
		dlauth.URL: os.Getenv("GATE_URL"), dlauth.CAFile: os.Getenv("GATE_CA_FILE"), dlauth.Proxy: "none",
		dlauth.Username: os.Getenv("GATE_USERNAME"), dlauth.Password: os.Getenv("GATE_PASSWORD"), dlauth.MaxAttempts: "1",
		// A busy machine must not reach a limit that a test does not set itself.
		dlauth.Wait: "10m", dlauth.ConnectTimeout: "5m", dlauth.Timeout: "10m",
	}
	for key, value := range more {
		options[key] = value
	}
	auth, err := dlauth.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// patience is a limit that ends a test that hangs; the factor is the setting that all tests read.
func patience(limit time.Duration) time.Duration {
	if factor, err := strconv.Atoi(os.Getenv("DL_AUTH_TEST_PATIENCE")); err == nil && factor > 0 {
		return limit * time.Duration(factor)
	}
	return limit
}

// infoUntil reads Info until the condition holds.
func infoUntil(t *testing.T, auth *dlauth.Auth, done func(dlauth.Info) bool) dlauth.Info {
	t.Helper()
	for end := time.Now().Add(patience(5 * time.Minute)); ; time.Sleep(time.Millisecond) {
		info, err := auth.Info()
		if err != nil {
			t.Fatal(err)
		}
		if done(info) {
			return info
		}
		if time.Now().After(end) {
			t.Fatalf("the condition was not reached: %+v", info)
		}
	}
}

// mayRefresh waits until another token may be fetched.
func mayRefresh(t *testing.T, auth *dlauth.Auth) {
	t.Helper()
	infoUntil(t, auth, func(info dlauth.Info) bool { return info.RetryIn == 0 })
}
