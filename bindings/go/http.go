package dlauth

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// RoundTripper adds the token to requests: use it as the Transport of an http.Client. It passes the requests to base.
// If base is nil, it uses http.DefaultTransport. If the answer is 401, it invalidates the token. If there is then
// another token, and if the body can be sent again (GetBody), it sends the request once more.
//
// Each request of that client gets the token, at any host, so use the client only for the platform. A redirect to
// another scheme, host or port is sent without it. A token that was fetched a short time ago is not replaced (see
// Invalidate): then the 401 is the answer.
func (auth *Auth) RoundTripper(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &roundTripper{auth, base}
}

type roundTripper struct {
	auth *Auth
	base http.RoundTripper
}

func (tripper *roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL == nil || request.Header == nil || leadsAway(request) {
		return tripper.base.RoundTrip(request) // its error says what the request lacks
	}
	token, err := tripper.auth.Token(request.Context())
	if err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, err
	}
	first := authorized(request, token)
	try := separate(first)
	response, err := tripper.base.RoundTrip(first)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	again, err := tripper.again(request, token)
	if err != nil || again == nil {
		return response, nil // the caller gets the 401
	}
	if response.Body != nil {
		response.Body.Close() // unread, because the server may send it slowly
	}
	if err := try.stop(request.Context()); err != nil {
		again.Body.Close()
		return nil, err
	}
	return tripper.base.RoundTrip(again)
}

// CloseIdleConnections closes the idle connections of base, if base has such a method.
func (tripper *roundTripper) CloseIdleConnections() {
	if base, ok := tripper.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// again returns the request with a token other than the refused one. nil: there is no other token, or the body cannot
// be sent again.
func (tripper *roundTripper) again(request *http.Request, rejectedToken string) (*http.Request, error) {
	if err := tripper.auth.Invalidate(rejectedToken); err != nil {
		return nil, err
	}
	hasBody := request.Body != nil && request.Body != http.NoBody
	if hasBody && request.GetBody == nil {
		return nil, nil
	}
	token, err := tripper.auth.Token(request.Context())
	if err != nil || token == rejectedToken {
		return nil, err
	}
	again := authorized(request, token)
	if hasBody {
		again.Body, err = request.GetBody()
	}
	return again, err
}

// authorized is a copy of the request, which a RoundTripper must not change, with the token. The Trailer is not copied,
// because the caller sets it while the body is read.
func authorized(request *http.Request, token string) *http.Request {
	request = request.WithContext(request.Context())
	request.Header = request.Header.Clone()
	request.Header.Set("Authorization", "Bearer "+token)
	return request
}

// firstBody is a body of a first try, if there may be a second one and the body sets a trailer. The base may send the
// first try even after its answer. So that both tries do not use one map at the same time, the first one has a copy of
// the trailer, set when the body ends, and the body ends before the second try begins.
type firstBody struct {
	io.ReadCloser
	*firstTry
}

// firstTry is the state that the bodies of a first try share. The base may send it again by itself, with a body from
// GetBody.
type firstTry struct {
	trailer, sent http.Header
	reading       chan struct{} // capacity 1: taken during a Read; stop takes it and keeps it
	stopped       chan struct{} // closed by stop
}

// separate gives a first try a separate trailer and such bodies, if it needs them.
func separate(first *http.Request) *firstTry {
	if len(first.Trailer) == 0 || first.GetBody == nil || first.Body == nil || first.Body == http.NoBody {
		return nil
	}
	try := &firstTry{first.Trailer, first.Trailer.Clone(), make(chan struct{}, 1), make(chan struct{})}
	getBody := first.GetBody
	first.Body, first.Trailer = &firstBody{first.Body, try}, try.sent
	first.GetBody = func() (io.ReadCloser, error) {
		body, err := getBody()
		if err != nil {
			return nil, err
		}
		return &firstBody{body, try}, nil
	}
	return try
}

func (body *firstBody) Read(buffer []byte) (int, error) {
	select {
	case body.reading <- struct{}{}:
	case <-body.stopped:
		return 0, http.ErrBodyReadAfterClose
	}
	defer func() { <-body.reading }()
	n, err := body.ReadCloser.Read(buffer)
	if err == io.EOF {
		for name, values := range body.trailer {
			body.sent[name] = values
		}
	}
	return n, err
}

// stop waits for the end of a Read, and prevents the next one. It is called once.
func (try *firstTry) stop(ctx context.Context) error {
	if try == nil {
		return nil
	}
	select {
	case try.reading <- struct{}{}:
		close(try.stopped)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leadsAway says whether a redirect changed the origin of the request, or whether the original request is unknown.
func leadsAway(request *http.Request) bool {
	first := request
	for first.Response != nil {
		if first.Response.Request == nil {
			return true
		}
		first = first.Response.Request
	}
	return origin(first.URL) != origin(request.URL)
}

func origin(url *url.URL) string {
	port := url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[url.Scheme]
	}
	return url.Scheme + "://" + net.JoinHostPort(strings.ToLower(url.Hostname()), port)
}
