// Reads a cached token in a loop: through dlauth, and from the oauth2 package's ReuseTokenSource, on the given number
// of goroutines. DL_AUTH_* have the credentials and the URL.
//
// The program prints "ready". It reads lines "WAY GOROUTINES MILLISECONDS", and prints nanoseconds per read, the
// average of all goroutines.
package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	dlauth "github.com/dataloop-ai/dl_auth/bindings/go"

	"golang.org/x/oauth2"
)

const batch = 256

type static string

func (token static) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: string(token), Expiry: time.Now().Add(24 * time.Hour)}, nil
}

// measure counts from the moment when all goroutines may start until the last one has ended.
func measure(read func() bool, goroutines int, slice time.Duration) float64 {
	var batches int64
	var over int32
	var done sync.WaitGroup
	begin := make(chan struct{})
	done.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			defer done.Done()
			<-begin
			own := int64(0)
			for again := true; again; again = atomic.LoadInt32(&over) == 0 {
				for i := 0; i < batch; i++ {
					if !read() {
						log.Fatal("no token")
					}
				}
				own++
			}
			atomic.AddInt64(&batches, own)
		}()
	}
	began := time.Now()
	close(begin)
	time.Sleep(slice)
	atomic.StoreInt32(&over, 1)
	done.Wait()
	return float64(time.Since(began)) * float64(goroutines) / float64(batches*batch)
}

func main() {
	auth, err := dlauth.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()
	ctx := context.Background()
	token, err := auth.Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	source := oauth2.ReuseTokenSource(nil, static(token))
	ways := map[string]func() bool{
		"ours":  func() bool { token, err := auth.Token(ctx); return err == nil && token != "" },
		"idiom": func() bool { token, err := source.Token(); return err == nil && token.AccessToken != "" },
	}
	fmt.Println("ready")
	var way string
	var goroutines, milliseconds int
	for {
		if n, _ := fmt.Scanln(&way, &goroutines, &milliseconds); n != 3 {
			return
		}
		fmt.Printf("%.4f\n", measure(ways[way], goroutines, time.Duration(milliseconds)*time.Millisecond))
	}
}
