package passwords

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"time"
)

// heap suits the program's heap to hashes that fill much memory once and leave it as garbage. By itself Go's collector
// runs for every second of them, hands what is free back to the kernel, and takes it again for the next hash, page by page.
//
// While passwords are hashed a ballast counts as live memory. Nothing is ever written to it, so that it takes none. As the
// collector sees it, the heap varies little then: it runs when a fixed amount was allocated, however many hashes run just
// then, and keeps a tenth of it all in hand. When none was hashed for a while all is as before.
type heap struct {
	mu      sync.Mutex
	size    int // of the memory of all hashes that run at once, in bytes; 0: the heap is left alone
	running int
	ballast *strings.Builder // nil: there is none
	percent int              // GOGC without it
	end     *time.Timer      // of the ballast
}

// programs is the heap: a program has one. It is tuned for the first who asks for it.
var programs heap

// In units of heap.size. A program of 60 MiB stays below that and three of them.
const (
	ballastSize = 4
	allowance   = 1.75 // to be allocated between two runs of the collector
	hugeSize    = 4    // of the heap, in huge pages
)

// calm is how long no password is hashed before the ballast goes.
const calm = time.Minute

// tuneHeap is nil where the operator has set limits of their own, and where hashes take no memory to speak of.
func tuneHeap(size int) *heap {
	if os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 || size < 1<<20 {
		return nil
	}
	h := &programs
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.size == 0 {
		h.size = size
		h.end = time.AfterFunc(calm, h.rest)
		// What is free at low addresses is used first: hashes will be where this is now.
		preferHugePages(make([]byte, hugeSize*size))
	}
	return h
}

// enter is called before a hash, leave after it.
func (h *heap) enter() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running++
	h.end.Stop()
	if h.ballast != nil {
		return
	}
	own := liveHeap()
	h.percent = debug.SetGCPercent(-1)
	h.ballast = &strings.Builder{}
	h.ballast.Grow(ballastSize * h.size) // Go does not clear it, as it would a slice
	between := max(own*float64(h.percent)/100, allowance*float64(h.size))
	debug.SetGCPercent(int(math.Ceil(100 * between / (own + (ballastSize+1)*float64(h.size)))))
}

func (h *heap) leave() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.running == 0 {
		h.end.Reset(calm)
	}
}

func (h *heap) rest() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == 0 && h.ballast != nil {
		h.ballast = nil
		debug.SetGCPercent(h.percent)
	}
}

// liveHeap is what the last run of the collector has left, in bytes.
func liveHeap() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}
