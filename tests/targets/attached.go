// A busy Go program for processes that are attached and detached: goroutines that read the time as fast as they can, under
// a profiler (SIGPROF) and a collector that never rests. Each time.Now must be the truth, or the truth and the node's skew; what
// time.Since says must be the truth. Argument: the skew in seconds. Says "ready PID"; at each line of its input, how many
// readings there were: all, skewed, collections, wrong.

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// By how much the node's wall clock may run away from the machine's while it is skewed: that one is slewed, the node's is not.
const near = int64(10 * time.Millisecond)

var readings, skewed, collections, wrong int64
var kept [64][]byte

func truth(clock uintptr) int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func say(what string, before, shown, after int64) {
	if atomic.AddInt64(&wrong, 1) < 10 {
		fmt.Fprintln(os.Stderr, what, "shows", shown, "between", before, "and", after)
	}
}

func read(skew int64, number int) {
	for turn := 0; ; turn++ {
		before := truth(0)
		now := time.Now()
		after := truth(0)
		shown := now.UnixNano()
		isTrue := shown >= before-near && shown <= after+near
		isSkewed := shown >= before+skew-near && shown <= after+skew+near
		atomic.AddInt64(&readings, 1)
		if isSkewed {
			atomic.AddInt64(&skewed, 1)
		} else if !isTrue {
			say("time.Now", before, shown, after)
		}
		begun := truth(1)
		start := time.Now()
		between := truth(1)
		since := int64(time.Since(start))
		ended := truth(1)
		if since < 0 || since > ended-begun || between < begun {
			say("time.Since", 0, since, ended-begun)
		}
		kept[number%len(kept)] = make([]byte, 64+turn%4096)
	}
}

func main() {
	seconds, _ := strconv.ParseInt(os.Args[1], 10, 64)
	if pprof.StartCPUProfile(io.Discard) != nil {
		os.Exit(2)
	}
	for number := 0; number < 4; number++ {
		go read(seconds*int64(time.Second), number)
	}
	go func() {
		for {
			runtime.GC()
			atomic.AddInt64(&collections, 1)
		}
	}()
	fmt.Println("ready", os.Getpid())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("readings", atomic.LoadInt64(&readings), atomic.LoadInt64(&skewed), atomic.LoadInt64(&collections), atomic.LoadInt64(&wrong))
	}
	if atomic.LoadInt64(&wrong) != 0 {
		os.Exit(1)
	}
}
