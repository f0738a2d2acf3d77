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
	tuned   int              // and with it
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

const (
	// mostTuned bounds heap.size: of more memory the collector's share is small as it is.
	mostTuned = 256 << 20
	// calm is how long no password is hashed before the ballast goes.
	calm = time.Minute
)

// tuneHeap is nil where the operator has set limits of their own, where hashes take no memory to speak of, and where the
// machine has too little: the kernel may refuse a block of more than there is, and Go gives up then.
func tuneHeap(places, kibibytes int) *heap {
	size := min(int64(places)*int64(kibibytes)<<10, mostTuned)
	if size < 1<<20 || hugeSize*size > physicalMemory()/4 || os.Getenv("GOGC") != "" || limited() {
		return nil
	}
	h := &programs
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.size == 0 {
		h.size = int(size)
		h.end = time.AfterFunc(calm, h.rest)
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
	if h.ballast == nil && !limited() {
		h.load()
	}
	h.end.Stop()
	h.running++
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

func (h *heap) load() {
	own := liveHeap()
	h.ballast = unused(ballastSize * h.size)
	preferHugePages(unused(hugeSize * h.size)) // which is free again when this returns: the hashes will be there
	if h.percent = debug.SetGCPercent(-1); h.percent < 0 {
		return // the program does without a collector
	}
	between := max(own*float64(h.percent)/100, allowance*float64(h.size))
	h.tuned = int(math.Ceil(100 * between / (own + (ballastSize+1)*float64(h.size))))
	debug.SetGCPercent(h.tuned)
}

// unused is memory that nobody has written to: Go clears a slice, and not what a Builder may grow into.
func unused(size int) *strings.Builder {
	b := &strings.Builder{}
	b.Grow(size)
	return b
}

func (h *heap) rest() {
	if h.unload() {
		debug.FreeOSMemory()
	}
}

func (h *heap) unload() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running > 0 || h.ballast == nil {
		return false
	}
	h.ballast = nil
	if now := debug.SetGCPercent(h.percent); h.percent >= 0 && now != h.tuned {
		debug.SetGCPercent(now) // somebody else has set it meanwhile
	}
	return true
}

// limited reports whether the program has a memory limit, which the ballast would count against.
func limited() bool { return debug.SetMemoryLimit(-1) != math.MaxInt64 }

// liveHeap is what the last run of the collector has left, in bytes.
func liveHeap() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}
