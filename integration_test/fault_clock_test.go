package integration_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// skewed returns nodes whose clocks are so far ahead of the first one's, which stands, and what moves them.
func skewed(t *testing.T, kind rostertest.Kind, leeway time.Duration, ahead ...time.Duration) ([]*world, []*atomic.Int64) {
	t.Helper()
	offsets := make([]*atomic.Int64, len(ahead))
	for i, d := range ahead {
		offsets[i] = &atomic.Int64{}
		offsets[i].Store(int64(d))
	}
	return cluster(t, kind, len(ahead), func(i int, cfg *usersrepo.Config) {
		right := cfg.Now
		cfg.Now = func() time.Time { return right().Add(time.Duration(offsets[i].Load())) }
		cfg.Session.Leeway = leeway
	}), offsets
}

// STORE-53, SESS-19, SESS-29, SESS-30, case 22: clocks that differ by the leeway refuse nothing that is good, and take no
// retry for a theft; those further apart do not hold, and still revive nothing.
func TestFaultClocks(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		const leeway = 30 * time.Second
		list, _ := skewed(t, kind, leeway, 0, leeway, 40*time.Second)
		right, far := list[0], list[2]
		nodes := list[:2]
		t.Run("tokens of each count on the other, and end on both", func(t *testing.T) {
			for i, from := range nodes {
				to := nodes[1-i]
				u := from.add(t, person("u"+roster.NewID().String()[24:], "", ""))
				pair := from.issue(t, u.ID)
				to.alive(t, pair)
				if err := to.Kick(t.Context(), u.ID); err != nil {
					t.Fatal(err)
				}
				right.Clock.Advance(learns)
				from.dead(t, pair)
				to.dead(t, pair)
			}
		})
		t.Run("a retry elsewhere is no theft", func(t *testing.T) {
			for i, from := range nodes {
				to := nodes[1-i]
				pair := from.issue(t, from.add(t, person("u"+roster.NewID().String()[24:], "", "")).ID)
				first, err := from.Refresh(t.Context(), pair.RefreshToken)
				if err != nil {
					t.Fatal(err)
				}
				second, err := to.Refresh(t.Context(), pair.RefreshToken)
				if err != nil || second.RefreshToken != first.RefreshToken {
					t.Fatalf("node %d: %v, or another successor", 1-i, err)
				}
				right.Clock.Advance(10 * time.Second) // the grace
				if _, err := to.Refresh(t.Context(), pair.RefreshToken); err != nil {
					t.Errorf("at the end of the grace: %v", err)
				}
				right.Clock.Advance(time.Millisecond)
				_, err = from.Refresh(t.Context(), pair.RefreshToken) // who made it has one clock
				refused(t, err, roster.ErrTokenReused)
			}
		})
		t.Run("the grace ends on the others too", func(t *testing.T) {
			for i, from := range nodes {
				to := nodes[1-i]
				pair := from.issue(t, from.add(t, person("u"+roster.NewID().String()[24:], "", "")).ID)
				if _, err := from.Refresh(t.Context(), pair.RefreshToken); err != nil {
					t.Fatal(err)
				}
				right.Clock.Advance(10*time.Second + 2*leeway + time.Millisecond)
				_, err := to.Refresh(t.Context(), pair.RefreshToken)
				refused(t, err, roster.ErrTokenReused)
			}
		})
		t.Run("beyond it tokens are from the future, and what has ended is dead all the same", func(t *testing.T) {
			u := right.add(t, person("far", "", ""))
			pair := far.issue(t, u.ID)
			if err := right.verdict(t, pair); !errors.Is(err, roster.ErrInvalidToken) {
				t.Errorf("got %v", err)
			}
			if err := far.Kick(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			right.Clock.Advance(learns)
			for _, w := range list {
				if err := w.verdict(t, pair); err == nil {
					t.Error("it lives")
				}
				_, err := w.Refresh(t.Context(), pair.RefreshToken)
				refused(t, err, roster.ErrSessionRevoked)
			}
		})
	})
}

// STORE-53, SESS-48, SESS-49: a clock that runs off and is set right again revives nothing, and makes nobody trust what was read
// by it.
func TestFaultClockSetBack(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		list, offsets := skewed(t, kind, 5*time.Second, 0, 0)
		right, wild := list[0], list[1]
		u := right.add(t, person("anna", "", ""))
		pair, other := right.issue(t, u.ID), right.issue(t, right.add(t, person("ben", "", "")).ID)
		if err := right.Kick(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		right.Clock.Advance(learns)
		wild.dead(t, pair)
		offsets[1].Store(int64(2 * time.Hour)) // all that it knows is forgotten for its age
		if err := wild.verdict(t, other); !errors.Is(err, roster.ErrTokenExpired) {
			t.Errorf("two hours late: %v", err)
		}
		offsets[1].Store(0)
		wild.dead(t, pair)
		wild.alive(t, other)
		offsets[1].Store(int64(4 * time.Second))
		wild.alive(t, other)
		offsets[1].Store(0)
		if err := right.RevokeSession(t.Context(), right.claimsOf(t, other).Subject, other.SessionID); err != nil {
			t.Fatal(err)
		}
		wild.dead(t, other) // it cannot tell how old its knowledge is, and reads
	})
}

func (w *world) claimsOf(t testing.TB, pair roster.TokenPair) roster.Claims {
	t.Helper()
	claims, err := w.VerifyToken(t.Context(), pair.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}
