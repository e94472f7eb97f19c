package dlauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"
)

// platform is a server that requires a token other than those in refused. It returns the body that it receives.
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

	// The next token is refused when another may not be fetched yet: the answer is the platform's 401.
	platform.refused[tokenOf(t, auth)] = true
	if status, body := post(t, &client, server.URL, strings.NewReader("a body")); status != 401 || body != "a body" {
		t.Errorf("%d %s", status, body)
	}
	// The body can be sent only once.
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
		t.Errorf("a 401 of another host has invalidated the token: %+v %v", info, err)
	}
	gate.counted(map[string]int{"requests": 1})
}

// replies is a base whose answers are made by hand.
type replies func(*http.Request) *http.Response

func (reply replies) RoundTrip(request *http.Request) (*http.Response, error) {
	return reply(request), nil
}

func TestAnIncompleteAnswerOfABaseNeitherLeaksTheTokenNorPanics(t *testing.T) {
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

// closer is a body that records whether it was closed.
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

// summed is a body that sets the trailer of its request at its end, as the documentation of Request.Trailer has it.
type summed struct {
	io.Reader
	request *http.Request
	closes  *int32
}

func (body *summed) Read(buffer []byte) (int, error) {
	n, err := body.Reader.Read(buffer)
	if err == io.EOF {
		body.request.Trailer.Set("X-Checksum", "abc123")
	}
	return n, err
}

func (body *summed) Close() error {
	atomic.AddInt32(body.closes, 1)
	return nil
}

// withTrailer is a request with such a body of so many bytes; closes counts the Close calls of each body.
func withTrailer(t *testing.T, url string, size int64) (request *http.Request, closes *[2]int32) {
	request, err := http.NewRequest("POST", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	closes = new([2]int32)
	body := func(which int) io.ReadCloser {
		return &summed{io.LimitReader(zeros{}, size), request, &closes[which]}
	}
	request.Body, request.ContentLength = body(0), -1
	request.Trailer = http.Header{"X-Checksum": nil}
	request.GetBody = func() (io.ReadCloser, error) { return body(1), nil }
	return request, closes
}

type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) {
	for i := range buffer {
		buffer[i] = 0
	}
	return len(buffer), nil
}

func TestATrailerThatTheBodySetsArrives(t *testing.T) {
	newGate(t)
	auth := opened(t, nil)
	var trailer string
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		io.Copy(io.Discard, request.Body)
		trailer = request.Trailer.Get("X-Checksum")
	}))
	defer server.Close()
	client := http.Client{Transport: auth.RoundTripper(nil)}
	for _, again := range []bool{false, true} { // whether the body could be sent again
		request, closes := withTrailer(t, server.URL, 10)
		if !again {
			request.GetBody = nil
		}
		header := request.Header.Clone()
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if trailer != "abc123" || request.Trailer.Get("X-Checksum") != "abc123" {
			t.Errorf("again %v: the trailer at the server is %q, and here %q", again, trailer, request.Trailer)
		}
		if *closes != [2]int32{1, 0} || !reflect.DeepEqual(request.Header, header) {
			t.Errorf("again %v: the body was closed %v times; the header is %v", again, *closes, request.Header)
		}
		trailer = ""
	}
}

// A base may send a request again by itself, with another body: http.Transport does after GOAWAY, or when a kept
// connection was closed.
func TestATrailerArrivesWhereTheBaseSendsTheRequestAgain(t *testing.T) {
	newGate(t)
	auth := opened(t, nil)
	client := http.Client{Transport: auth.RoundTripper(replies(func(request *http.Request) *http.Response {
		body, again := request.Body, *request
		body.Read(make([]byte, 1))
		body.Close()
		body, err := request.GetBody()
		if err != nil {
			t.Fatal(err)
		}
		again.Body = body
		io.Copy(io.Discard, again.Body)
		again.Body.Close()
		return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{"Trailer-Was": again.Trailer["X-Checksum"]}}
	}))}
	request, closes := withTrailer(t, "http://platform/", 10)
	response, err := client.Do(request)
	if err != nil || response.Header.Get("Trailer-Was") != "abc123" || *closes != [2]int32{1, 1} {
		t.Error(response, err, *closes)
	}
}

// The platform refuses before it has read the body, so the first try may continue during the second one.
func TestATrailerArrivesWithTheSecondTryAfterA401(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 20}`)
	auth := opened(t, nil)
	var lock sync.Mutex
	refused, trailers := "", []string{}
	refuse := func(token string) {
		lock.Lock()
		defer lock.Unlock()
		refused, trailers = "Bearer "+token, nil
	}
	handler := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		lock.Lock()
		refuse := request.Header.Get("Authorization") == refused
		lock.Unlock()
		if refuse {
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.Copy(io.Discard, request.Body)
		lock.Lock()
		defer lock.Unlock()
		trailers = append(trailers, request.Trailer.Get("X-Checksum"))
	})
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(handler)
		server.EnableHTTP2 = http2
		server.StartTLS()
		client := http.Client{Transport: auth.RoundTripper(server.Client().Transport)}
		for _, size := range []int64{10, 4 << 20} {
			refuse(tokenOf(t, auth))
			mayRefresh(t, auth)
			request, closes := withTrailer(t, server.URL, size)
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != 200 || !reflect.DeepEqual(trailers, []string{"abc123"}) {
				t.Errorf("HTTP/2 %v, %d bytes: status %d, trailers %q", http2, size, response.StatusCode, trailers)
			}
			for which := range closes { // a transport may close later than it answers
				for atomic.LoadInt32(&closes[which]) == 0 { // tests/run.sh ends what hangs
					time.Sleep(time.Millisecond)
				}
			}
		}
		server.Close() // waits for the connections
	}
}

// A base may send the first try after its answer. The race detector finds a map that both tries use.
func TestAFirstTryThatGoesOnLeavesTheSecondOneAlone(t *testing.T) {
	gate := newGate(t)
	gate.set(`{"lifetime": 20}`)
	auth := opened(t, nil)
	refused := tokenOf(t, auth)
	mayRefresh(t, auth)
	var first sync.WaitGroup
	defer first.Wait()
	second := make(chan struct{})
	client := http.Client{Transport: auth.RoundTripper(replies(func(request *http.Request) *http.Response {
		send := func() string {
			defer request.Body.Close()
			io.Copy(io.Discard, request.Body)
			return request.Trailer.Get("X-Checksum")
		}
		if request.Header.Get("Authorization") == "Bearer "+refused {
			first.Add(1)
			go func() {
				defer first.Done()
				<-second
				send()
			}()
			return &http.Response{StatusCode: 401, Body: http.NoBody}
		}
		close(second)
		return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{"Trailer-Was": {send()}}}
	}))}
	request, _ := withTrailer(t, "http://platform/", 1<<20)
	response, err := client.Do(request)
	if err != nil || response.StatusCode != 200 || response.Header.Get("Trailer-Was") != "abc123" {
		t.Error(response, err)
	}
}
