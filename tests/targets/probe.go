// The probe in Go: reads its clocks when it is told to, and tells what it saw beside the truth. See probe.c for what it is
// told and answers.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// The host's clock, by the system call itself.
func truth(id uintptr) int64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

func say(name string, read func() int64, id uintptr) {
	best := int64(1) << 62
	var shown, skew int64
	for i := 0; i < 20; i++ {
		before := truth(id)
		value := read()
		after := truth(id)
		if after-before < best {
			best, shown, skew = after-before, value, value-before
		}
	}
	fmt.Println(name, shown, skew, best, truth(1), 0)
}

func wall(name string) { say(name, func() int64 { return time.Now().UnixNano() }, 0) }

var begun, begunTrue = beginning()

// The same moment by both, as exactly as it can be had.
func beginning() (time.Time, int64) {
	best := int64(1) << 62
	var now time.Time
	var at int64
	for i := 0; i < 20; i++ {
		before := truth(1)
		read := time.Now()
		if width := truth(1) - before; width < best {
			best, now, at = width, read, before
		}
	}
	return now, at
}

// Time since the beginning, which Go counts by the monotonic clock.
func mono() {
	say("monotonic", func() int64 { return begunTrue + int64(time.Since(begun)) }, 1)
}

func main() {
	// SIGPROF, at whatever instruction.
	pprof.StartCPUProfile(io.Discard)
	// Garbage to collect, and threads that come and go.
	go func() {
		for {
			garbage := make([]byte, 1<<20)
			garbage[0] = 1
			time.Sleep(time.Millisecond)
			runtime.Gosched()
		}
	}()
	wall("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 1 {
			after, _ := strconv.ParseInt(words[1], 10, 64)
			for truth(1) < after {
			}
		}
		switch words[0] {
		case "wall":
			wall("wall")
		case "mono":
			mono()
		case "pid":
			fmt.Println("pid", os.Getpid(), 0, 0, 0, 0)
		case "children":
			child := exec.Command("/proc/self/exe")
			child.Stdin, child.Stdout = strings.NewReader(""), os.Stdout
			child.Run()
		case "exec":
			// Its timer would outlive the exec, and SIGPROF end the new program before it can catch it.
			pprof.StopCPUProfile()
			syscall.Exec("/proc/self/exe", []string{"probe"}, os.Environ())
		case "quit":
			os.Exit(0)
		}
		fmt.Println("done")
	}
}
