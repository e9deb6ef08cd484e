// Ticks in Go's ways; see tests/programs/waits/ticker.rs for what it is told and answers. All count the monotonic clock.
package main

import "C" // so that it is linked dynamically, as Debian's own Go programs are

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const period = 50 * time.Millisecond

var names = []string{"Sleep", "Ticker", "context"}
var counts [3]int64

func forever(way int, wait func()) {
	for {
		wait()
		atomic.AddInt64(&counts[way], 1)
	}
}

func main() {
	ticker := time.NewTicker(period)
	go forever(0, func() { time.Sleep(period) })
	go forever(1, func() { <-ticker.C })
	go forever(2, func() {
		// A deadline of the wall clock and of the monotonic one, of which Go takes the latter.
		limited, cancel := context.WithDeadline(context.Background(), time.Now().Add(period))
		<-limited.Done()
		cancel()
	})
	fmt.Println("ready", os.Getpid())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "ticks" {
			fmt.Println("woken")
			continue
		}
		for way, name := range names {
			fmt.Printf("%s:%d:0 ", name, atomic.LoadInt64(&counts[way]))
		}
		fmt.Println()
	}
}
