package passwords_test

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/roster-go/roster/passwords"
)

func BenchmarkHash(b *testing.B) {
	for name, h := range map[string]passwords.Hasher{
		"argon2id": passwords.Argon2id{}, "bcrypt": passwords.Bcrypt{}, "scrypt": passwords.Scrypt{}, "pbkdf2": passwords.PBKDF2{},
	} {
		b.Run(name, func(b *testing.B) {
			p := mustNew(b, passwords.Config{Hasher: h})
			for b.Loop() {
				if _, err := p.Hash(b.Context(), horse); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFloor is the least that a hash takes: performance.md rows 3 to 5 compare with it.
func BenchmarkFloor(b *testing.B) {
	for b.Loop() {
		argon2.IDKey([]byte(horse), []byte("roster-test-salt"), 2, 19_456, 1, 32)
	}
}

func BenchmarkVerify(b *testing.B) {
	p := mustNew(b, passwords.Config{})
	encoded := imports["argon2id"]
	for name, c := range map[string][2]string{"right": {encoded, horse}, "wrong": {encoded, "x"}, "dummy": {"", horse}, "unreadable": {"?", horse}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				verify(b, p, c[0], c[1])
			}
		})
	}
}

func BenchmarkStale(b *testing.B) {
	p := mustNew(b, passwords.Config{})
	for name, encoded := range map[string]string{"argon2id": imports["argon2id"], "bcrypt": imports["bcrypt"], "scrypt": imports["django scrypt"]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Stale(encoded)
			}
		})
	}
}

// BenchmarkParallel64 reports what 64 callers at once get and what the heap grows to: performance.md rows 3 and 13,
// PASS-35, SEC-65.
func BenchmarkParallel64(b *testing.B) {
	p := mustNew(b, passwords.Config{})
	debug.FreeOSMemory()
	runs := 0
	for b.Loop() {
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() { verify(b, p, imports["argon2id"], horse) })
		}
		wg.Wait()
		runs += 64
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(runs)/b.Elapsed().Seconds(), "hashes/s")
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB-heap-peak")
}
