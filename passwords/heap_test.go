package passwords_test

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/roster-go/roster/passwords"
)

func gcPercent() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

func hashOnce(t *testing.T, p *passwords.Passwords) {
	t.Helper()
	if _, err := p.Hash(t.Context(), "correct horse battery"); err != nil {
		t.Fatal(err)
	}
}

// While passwords are hashed the collector has another percentage, and the program takes no memory for it; afterwards all is
// as it was.
func TestTuneHeap(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getenv("GOGC") != "" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Skip("the heap is the operator's")
	}
	p := mustNew(t, passwords.Config{Hasher: passwords.Argon2id{}, MaxConcurrent: 2, TuneHeap: true}) // for which any machine has memory
	before, had := gcPercent(), resident(t)
	if before != 100 {
		t.Errorf("New has set the percentage to %d", before)
	}
	hashOnce(t, p)
	if gcPercent() == before {
		t.Error("no percentage was set for hashes")
	}
	held, taken := passwords.Ballast(), resident(t)-had
	if held < 4*2*19<<20 || taken > int64(held) { // one hash is some of it, and the race detector's own
		t.Errorf("the ballast has %d MiB, the program takes %d MiB", held>>20, taken>>20)
	}
	passwords.RestHeap()
	hashOnce(t, p)
	debug.SetGCPercent(150)
	passwords.RestHeap()
	if percent := debug.SetGCPercent(before); percent != 150 {
		t.Errorf("the program's own percentage became %d", percent)
	}
	hashOnce(t, p)
	passwords.RestHeap()
	if percent := gcPercent(); percent != before || passwords.Ballast() != 0 {
		t.Errorf("at rest: GOGC %d, ballast %d; want %d and none", percent, passwords.Ballast(), before)
	}
}

// resident is how much memory the kernel has given the program, in bytes; 0 where it does not tell.
func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, pages int64
	if _, err := fmt.Sscan(string(text), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// Operators who have set a percentage or a limit know why.
func TestTuneHeapLeavesTheOperators(t *testing.T) {
	for name, set := range map[string]func(t *testing.T){
		"GOGC": func(t *testing.T) { t.Setenv("GOGC", "100") },
		"a limit": func(t *testing.T) {
			before := debug.SetMemoryLimit(1 << 40)
			t.Cleanup(func() { debug.SetMemoryLimit(before) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			percent := gcPercent()
			p := mustNew(t, passwords.Config{Hasher: passwords.Argon2id{}, TuneHeap: true})
			hashOnce(t, p)
			if got := gcPercent(); got != percent || passwords.Ballast() != 0 {
				t.Errorf("GOGC is %d, the ballast %d; want %d and none", got, passwords.Ballast(), percent)
			}
		})
	}
}
