package passwords_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roster-go/roster/passwords"
)

// PASS-36, SEC-74: once hashes of several kinds are in use, a wrong answer takes as long as the costliest of them.
func TestPace(t *testing.T) {
	t.Parallel()
	const live, quick, costly = 50 * time.Millisecond, time.Millisecond, 200 * time.Millisecond
	imported, better := cheap(t, "x"), strings.Replace(cheap(t, "x"), "$1$", "$2$", 1)
	worst := strings.Replace(better, "$2$", "$3$", 1)
	f := &fake{all: true, delay: func(encoded string) time.Duration {
		switch encoded {
		case imported:
			return quick
		case better:
			return costly
		case worst:
			return time.Hour
		}
		return live
	}}
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, passwords.Config{Hasher: f})
		took := func(encoded, password string) time.Duration {
			return elapsed(func() { verify(t, p, encoded, password) })
		}
		for _, c := range []struct {
			name, encoded, password string
			want                    time.Duration
		}{
			{"one kind: unknown", "", "wrong", live},
			{"one kind: wrong", "fake:x", "wrong", live},
			{"a cheaper one: imported", imported, "wrong", live},
			{"a cheaper one: unknown", "", "wrong", live},
			{"a cheaper one: unreadable", "\x00", "wrong", live},
			{"a costlier one: imported", better, "wrong", costly},
			{"a costlier one: unknown", "", "wrong", costly},
			{"a costlier one: wrong", "fake:x", "wrong", costly},
			{"a costlier one: imported, cheap", imported, "wrong", costly},
			{"a right one waits for nothing", "fake:x", "x", live},
			{"two spellings, imported", imported, "m²", 2 * costly},
			{"two spellings, unknown", "", "m²", 2 * costly},
			{"two spellings, wrong", "fake:x", "m²", 2 * costly},
			{"a monstrous one", worst, "wrong", time.Hour},
			{"the others wait a second at most", "", "wrong", time.Second},
		} {
			if got := took(c.encoded, c.password); got != c.want {
				t.Errorf("%s: took %v, want %v", c.name, got, c.want)
			}
		}

		// Nobody holds a place while waiting, and the end of the context ends the wait with the answer.
		ctx, cancel := context.WithTimeout(t.Context(), 2*live)
		defer cancel()
		cut := elapsed(func() {
			if match, err := p.Verify(ctx, "fake:x", "wrong"); err != nil || match.OK {
				t.Errorf("got %+v, %v", match, err)
			}
		})
		if cut != 2*live {
			t.Errorf("took %v, want %v", cut, 2*live)
		}
	})
}

// PASS-36: where all hashes are of one kind nobody waits, however long others took.
func TestPaceOfOneKind(t *testing.T) {
	t.Parallel()
	took := 50 * time.Millisecond
	f := &fake{delay: func(string) time.Duration { return took }}
	synctest.Test(t, func(t *testing.T) {
		p := mustNew(t, passwords.Config{Hasher: f})
		for _, took = range []time.Duration{50, 10, 1} {
			if got := elapsed(func() { verify(t, p, "fake:x", "wrong") }); got != took {
				t.Errorf("took %v, want %v", got, took)
			}
		}
	})
}
