// Reads a cached token in a loop from the oauth2 package's ReuseTokenSource, on the given number of goroutines and for
// the given time. BENCH_TOKEN is the token.
//
// The program prints "ready". It reads lines "THREADS MILLISECONDS", and prints "READS_PER_SECOND
// NANOSECONDS_PER_READ": of all goroutines together, and of one read on average.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const batch = 256

// static is the source behind the cache; the cache calls it once.
type static string

func (token static) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: string(token), Expiry: time.Now().Add(24 * time.Hour)}, nil
}

func readBatch(source oauth2.TokenSource) {
	for i := 0; i < batch; i++ {
		token, err := source.Token()
		if err != nil || len(token.AccessToken) == 0 {
			log.Fatal("no token: ", err)
		}
		runtime.KeepAlive(token.AccessToken)
	}
}

// measure counts from the first read of the first goroutine to the last read of the last one.
func measure(source oauth2.TokenSource, threads int, slice time.Duration) (perSecond, perRead float64) {
	var first, last time.Time
	var readsOfAll float64
	var over int32
	var ready, done sync.WaitGroup
	var lock sync.Mutex
	begin := make(chan struct{})
	ready.Add(threads)
	done.Add(threads)
	for i := 0; i < threads; i++ {
		go func() {
			defer done.Done()
			for warm := 0; warm < 8; warm++ {
				readBatch(source)
			}
			ready.Done()
			<-begin
			batches := 0
			began := time.Now()
			for again := true; again; again = atomic.LoadInt32(&over) == 0 {
				readBatch(source)
				batches++
			}
			ended := time.Now()
			lock.Lock()
			defer lock.Unlock()
			if first.IsZero() || began.Before(first) {
				first = began
			}
			if ended.After(last) {
				last = ended
			}
			readsOfAll += float64(batches) * batch
		}()
	}
	ready.Wait()
	close(begin)
	time.Sleep(slice)
	atomic.StoreInt32(&over, 1)
	done.Wait()
	perNanosecond := readsOfAll / float64(last.Sub(first))
	return perNanosecond * 1e9, float64(threads) / perNanosecond
}

func main() {
	source := oauth2.ReuseTokenSource(nil, static(os.Getenv("BENCH_TOKEN")))
	var threads, milliseconds int
	fmt.Println("ready")
	for {
		if n, _ := fmt.Scanln(&threads, &milliseconds); n != 2 {
			return
		}
		perSecond, perRead := measure(source, threads, time.Duration(milliseconds)*time.Millisecond)
		fmt.Printf("%.1f %.4f\n", perSecond, perRead)
	}
}
