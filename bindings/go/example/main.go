// Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and the other variables.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"
)

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	auth, err := dlauth.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	started := time.Now()
	token, err := auth.Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	first := time.Since(started)
	started = time.Now()
	for i := 0; i < 1000; i++ {
		auth.Token(ctx)
	}
	cached := time.Since(started) / 1000

	claims, err := dlauth.JWTClaims(token)
	if err != nil {
		log.Fatal(err)
	}
	expiry, err := dlauth.JWTExpiry(token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("token   %.20s... (%d bytes)\nclaims  %s\nexpiry  %d (Unix seconds)\n", token, len(token), claims, expiry.Unix())
	fmt.Printf("first   %.1f ms (login over TLS)\n", first.Seconds()*1e3)
	fmt.Printf("cached  %.6f ms (mean of 1000 calls)\n", cached.Seconds()*1e3)

	if len(os.Args) > 1 { // a URL of the platform: request it with the token
		client := http.Client{Transport: auth.RoundTripper(nil)}
		answer, err := client.Get(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		fmt.Printf("answer  %d\n", answer.StatusCode)
	}
}
