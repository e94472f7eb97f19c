package dlauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dlauth"
)

// platform is a server that wants a token other than those that it refuses, and tells the body that it was sent.
type platform struct {
	lock     sync.Mutex
	refused  map[string]bool
	requests int
}

func (platform *platform) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	platform.lock.Lock()
	defer platform.lock.Unlock()
	platform.requests++
	token := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	if token == "" || platform.refused[token] {
		answer.WriteHeader(http.StatusUnauthorized)
	}
	answer.Write(body)
}

func platform401(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 20}`)
	auth := opened(t, nil)
	platform := &platform{refused: map[string]bool{tokenOf(t, auth): true}}
	server := httptest.NewServer(platform)
	defer server.Close()
	client := http.Client{Transport: auth.RoundTripper(nil)}
	mayRefresh(t, auth)

	const callers = 50
	var done sync.WaitGroup
	for i := 0; i < callers; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			if status, body := post(t, &client, server.URL, strings.NewReader("a body")); status != 200 || body != "a body" {
				t.Errorf("%d %s", status, body)
			}
		}()
	}
	done.Wait()
	gate.counted(map[string]int{"logins": 1, "refreshes": 1})
	if platform.requests < callers+1 || platform.requests > 2*callers {
		t.Errorf("%d requests", platform.requests)
	}

	// The next one is refused where no other may be fetched yet: the answer is what the platform said.
	platform.refused[tokenOf(t, auth)] = true
	if status, body := post(t, &client, server.URL, strings.NewReader("a body")); status != 401 || body != "a body" {
		t.Errorf("%d %s", status, body)
	}
	// And where the body can be sent but once.
	mayRefresh(t, auth)
	platform.refused[tokenOf(t, auth)] = true
	if status, body := post(t, &client, server.URL, io.MultiReader(strings.NewReader("a body"))); status != 401 || body != "a body" {
		t.Errorf("%d %s", status, body)
	}
}

func post(t *testing.T, client *http.Client, url string, body io.Reader) (int, string) {
	response, err := client.Post(url, "text/plain", body)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestARedirectElsewhereGoesWithoutTheToken(t *testing.T) {
	gate := newGate(t)
	auth := opened(t, nil)
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		seen = append(seen, "elsewhere "+request.Header.Get("Authorization"))
		answer.WriteHeader(http.StatusUnauthorized)
	}))
	defer elsewhere.Close()
	home := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		seen = append(seen, "home "+request.Header.Get("Authorization"))
		http.Redirect(answer, request, map[string]string{"/": "/further", "/further": elsewhere.URL}[request.URL.Path], 307)
	}))
	defer home.Close()
	client := http.Client{Transport: auth.RoundTripper(nil)}
	response, err := client.Get(home.URL + "/")
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Fatal(response, err)
	}
	response.Body.Close()
	token := tokenOf(t, auth)
	wanted := []string{"home Bearer " + token, "home Bearer " + token, "elsewhere "}
	if strings.Join(seen, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("%q", seen)
	}
	if info, err := auth.Info(); err != nil || info.State != dlauth.StateFresh {
		t.Errorf("a stranger's 401 has cost the token: %+v %v", info, err)
	}
	gate.counted(map[string]int{"requests": 1})
}

// replies is a base whose answers are made by hand.
type replies func(*http.Request) *http.Response

func (reply replies) RoundTrip(request *http.Request) (*http.Response, error) {
	return reply(request), nil
}

func TestWhatABaseLeavesOutCostsNeitherTheTokenNorTheProcess(t *testing.T) {
	newGate(t)
	auth := opened(t, nil)
	var seen []string
	client := http.Client{Transport: auth.RoundTripper(replies(func(request *http.Request) *http.Response {
		seen = append(seen, request.URL.Host+" "+strings.SplitN(request.Header.Get("Authorization"), " ", 2)[0])
		if request.URL.Host == "platform" {
			return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://elsewhere/"}}, Body: http.NoBody}
		}
		return &http.Response{StatusCode: 200, Body: http.NoBody}
	}))}
	if _, err := client.Get("http://platform/"); err != nil || strings.Join(seen, ",") != "platform Bearer,elsewhere " {
		t.Error(seen, err)
	}
	bodiless := auth.RoundTripper(replies(func(*http.Request) *http.Response { return &http.Response{StatusCode: 401} }))
	request, err := http.NewRequest("GET", "http://platform/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := bodiless.RoundTrip(request); err != nil || answer.StatusCode != 401 {
		t.Error(answer, err)
	}
	for _, empty := range []*http.Request{{}, {URL: request.URL}, {Header: request.Header}} {
		if _, err := auth.RoundTripper(nil).RoundTrip(empty); err == nil {
			t.Error("an empty request is sent")
		}
	}
}

// closer is a body that knows whether it was closed.
type closer struct {
	io.Reader
	closed bool
}

func (closer *closer) Close() error { closer.closed = true; return nil }

func TestARequestWithoutATokenFailsAndItsBodyIsClosed(t *testing.T) {
	gate := newGate(t)
	gate.plan(`{"do": "status", "status": 503}`)
	auth, body := opened(t, nil), &closer{Reader: strings.NewReader("a body")}
	request, err := http.NewRequest("POST", "http://127.0.0.1:1", body)
	if err != nil {
		t.Fatal(err)
	}
	_, err = auth.RoundTripper(nil).RoundTrip(request)
	failed(t, err, dlauth.ErrGate, 503)
	if !body.closed || request.Header.Get("Authorization") != "" {
		t.Error("the body is open, or the request was changed")
	}
}

func TestATokenSourceGivesTheTokenAndItsEnd(t *testing.T) {
	newGate(t)
	auth := opened(t, nil)
	for i := 0; i < 2; i++ { // by way of C, and the copy
		token, err := auth.TokenSource(ctx).Token()
		if err != nil {
			t.Fatal(err)
		}
		expiry, err := dlauth.JWTExpiry(token.AccessToken)
		if err != nil || token.AccessToken != tokenOf(t, auth) || token.Type() != "Bearer" || !token.Valid() {
			t.Errorf("%+v %v", token, err)
		}
		if off := token.Expiry.Sub(expiry); off < -2*time.Second || off > 2*time.Second {
			t.Errorf("it ends at %v, not at %v", expiry, token.Expiry)
		}
	}
}
