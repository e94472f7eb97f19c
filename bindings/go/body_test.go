package dlauth

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// slow is a body whose Read waits, and sets the trailer at its end.
type slow struct {
	trailer      http.Header
	inside, goOn chan struct{}
}

func (body *slow) Read([]byte) (int, error) {
	body.inside <- struct{}{}
	<-body.goOn
	body.trailer.Set("X-Checksum", "abc123")
	return 0, io.EOF
}

func (body *slow) Close() error { return nil }

func TestTheSecondTryWaitsForTheReadOfTheFirst(t *testing.T) {
	trailer := http.Header{"X-Checksum": nil}
	inner := &slow{trailer, make(chan struct{}), make(chan struct{})}
	getBody := func() (io.ReadCloser, error) { return inner, nil }
	first := &http.Request{Body: inner, Trailer: trailer, GetBody: getBody}
	try := separate(first)
	if first.Body == io.ReadCloser(inner) || len(first.Trailer) != 1 {
		t.Fatal(first)
	}
	read := make(chan error)
	go func() {
		_, err := first.Body.Read(nil)
		read <- err
	}()
	<-inner.inside
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := try.stop(cancelled); err != context.Canceled {
		t.Error(err)
	}
	stopped := make(chan error)
	go func() { stopped <- try.stop(context.Background()) }()
	select {
	case <-stopped:
		t.Error("it has not waited")
	default:
	}
	inner.goOn <- struct{}{}
	if err := <-read; err != io.EOF || first.Trailer.Get("X-Checksum") != "abc123" {
		t.Error(err, first.Trailer)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := first.Body.Read(nil); err != http.ErrBodyReadAfterClose {
		t.Error(err)
	}
}

func TestABodyThatIsSentOnceIsSentAsItIs(t *testing.T) {
	getBody := func() (io.ReadCloser, error) { return http.NoBody, nil }
	body, trailer := io.NopCloser(strings.NewReader("")), http.Header{"X": nil}
	for _, first := range []*http.Request{
		{Body: body, GetBody: getBody}, {Body: body, Trailer: trailer}, {GetBody: getBody, Trailer: trailer},
		{Body: http.NoBody, GetBody: getBody, Trailer: trailer},
	} {
		before := first.Body
		if separate(first) != nil || first.Body != before {
			t.Errorf("%+v", first)
		}
	}
}
