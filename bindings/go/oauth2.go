package dlauth

import (
	"context"
	"time"

	"golang.org/x/oauth2"
)

// TokenSource is the handle for whatever takes an oauth2.TokenSource; it waits as Token does with ctx. The Expiry is by this
// machine's clock, right or wrong.
//
// Put no oauth2.ReuseTokenSource around it, nor oauth2.NewClient, which does: they keep a token until ten seconds before
// its end, whatever Invalidate, SetCredentials and Close say. For an http.Client there is RoundTripper.
func (auth *Auth) TokenSource(ctx context.Context) oauth2.TokenSource {
	return &tokenSource{ctx, auth}
}

type tokenSource struct {
	ctx  context.Context
	auth *Auth
}

func (source *tokenSource) Token() (*oauth2.Token, error) {
	held := source.auth.held.Load()
	if held == nil || !held.serves(time.Now()) {
		var err error
		if held, err = source.auth.get(source.ctx, 0); err != nil {
			return nil, err
		}
	}
	return &oauth2.Token{AccessToken: held.token, TokenType: "Bearer", Expiry: held.expires}, nil
}
