package cachetest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// units are the short times that the suite tries one after the other when it cannot move the clock: on a busy machine
// a few calls may take longer than the first.
func units(h Harness) []time.Duration {
	if h.Advance != nil {
		return []time.Duration{time.Minute}
	}
	return []time.Duration{40 * time.Millisecond, 200 * time.Millisecond, time.Second}
}

// attempt is a testing.T that keeps failures to itself, so that a test can be made again.
type attempt struct {
	*testing.T
	timed atomic.Bool // a short time came into it: a failure may be that of a busy machine

	mu       sync.Mutex
	failures []string
	certain  bool // a failure came before
}

// run makes the attempt and waits for its end.
func (a *attempt) run(test func(*attempt)) {
	done := make(chan struct{})
	go func() { // since Fatal ends the goroutine
		defer close(done)
		test(a)
	}()
	<-done
}

// Error shadows that of testing.T, as do the following.
func (a *attempt) Error(args ...any) { a.fail(fmt.Sprintln(args...)) }

func (a *attempt) Errorf(format string, args ...any) { a.fail(fmt.Sprintf(format, args...)) }

func (a *attempt) Fatal(args ...any) {
	a.fail(fmt.Sprintln(args...))
	runtime.Goexit()
}

func (a *attempt) Fatalf(format string, args ...any) {
	a.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// fail keeps a failure with the lines of the suite that led to it.
func (a *attempt) fail(message string) {
	var where []string
	pcs := make([]uintptr, 8)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/cachetest.") && !strings.Contains(f.Function, "attempt).run") {
			where = append(where, fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line))
		}
		if !more {
			break
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.certain = a.certain || !a.timed.Load()
	a.failures = append(a.failures, strings.Join(where, ", ")+": "+strings.TrimSpace(message))
}
