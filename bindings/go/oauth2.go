package dlauth

import (
	"context"
	"time"

	"golang.org/x/oauth2"
)

// TokenSource returns the handle as an oauth2.TokenSource. It waits as Token does with ctx. The Expiry is by this
// machine's clock, even if that clock is wrong.
//
// Do not use it with oauth2.ReuseTokenSource or oauth2.NewClient: they keep a token until ten seconds before it
// expires, even after Invalidate, SetCredentials and Close. For an http.Client, use RoundTripper.
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
