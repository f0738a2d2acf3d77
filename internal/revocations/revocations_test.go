package revocations_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/revocations"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func id(n byte) roster.ID { return roster.ID{15: n} }

func news(position, epoch int64, sessions ...revocations.Session) revocations.News {
	return revocations.News{Position: position, GlobalEpoch: epoch, Sessions: sessions}
}

func ended(n byte, at int64) revocations.Session { return revocations.Session{ID: id(n), At: at} }

func memory(node string) *revocations.Known {
	return revocations.New(node, 10*time.Minute, 5*time.Second)
}

func since(t *testing.T, k *revocations.Known, after string, most int) (roster.Revocations, bool) {
	t.Helper()
	r, is, _, err := k.Since(after, most)
	if err != nil {
		t.Fatal(err)
	}
	return r, is
}

func wants(t *testing.T, r roster.Revocations, is, want bool, sessions ...byte) {
	t.Helper()
	var got []byte
	for _, x := range r.Sessions {
		got = append(got, x[15])
	}
	if !slices.Equal(got, sessions) || is != want {
		t.Errorf("got %v, news %t, want %v, %t", got, is, sessions, want)
	}
}

// SESS-76: what came after a cursor is given, once, by the node that gave it.
func TestSince(t *testing.T) {
	k := memory("a")
	k.Learn(news(10, 1, ended(1, 5), ended(2, 7)), now)
	first, is := since(t, k, "", 100)
	wants(t, first, is, true, 1, 2)
	r, is := since(t, k, first.Position, 100)
	wants(t, r, is, false)
	_, _, changed, _ := k.Since(first.Position, 100)
	t.Run("tells nothing twice while the position stands still", func(t *testing.T) {
		if !k.Learn(news(10, 1, ended(2, 7), ended(3, 12)), now) {
			t.Error("nothing was new")
		}
		select {
		case <-changed:
		default:
			t.Error("nobody is woken")
		}
		r, is := since(t, k, first.Position, 100)
		wants(t, r, is, true, 3)
		if k.Learn(news(10, 1, ended(2, 7), ended(3, 12)), now) {
			t.Error("all of it was known")
		}
		r, is = since(t, k, r.Position, 100)
		wants(t, r, is, false)
	})
	t.Run("tells of another epoch", func(t *testing.T) {
		before, _ := since(t, k, "", 100)
		k.Learn(news(11, 2), now)
		r, is := since(t, k, before.Position, 100)
		wants(t, r, is, true)
		if r.GlobalEpoch != 2 {
			t.Errorf("got %d", r.GlobalEpoch)
		}
	})
	t.Run("takes over from another node by the position of the database", func(t *testing.T) {
		other := memory("b")
		other.Learn(news(10, 1, ended(2, 7), ended(1, 5), ended(4, 12)), now)
		r, is := since(t, other, first.Position, 100)
		wants(t, r, is, true, 4)
		r, is = since(t, other, r.Position, 100)
		wants(t, r, is, false)
	})
	t.Run("begins anew after one that is further than the database", func(t *testing.T) {
		behind := memory("c")
		behind.Learn(news(3, 1, ended(9, 2)), now)
		if ahead, err := behind.Ahead(first.Position); !ahead || err != nil {
			t.Errorf("got %t, %v", ahead, err)
		}
		r, is := since(t, behind, first.Position, 100)
		wants(t, r, is, true, 9)
	})
	t.Run("gives all to one who comes from another server, whose positions are not these", func(t *testing.T) {
		promoted, begun := memory("d"), memory("e")
		promoted.Learn(revocations.News{Server: 1, Position: 12, Sessions: []revocations.Session{ended(1, 11)}}, now)
		before, _ := since(t, promoted, "", 100)
		promoted.Learn(revocations.News{Server: 2, Position: 11, Sessions: []revocations.Session{ended(1, 5), ended(2, 10)}}, now)
		begun.Learn(revocations.News{Server: 2, Position: 13, Sessions: []revocations.Session{ended(1, 5), ended(2, 10)}}, now)
		r, is := since(t, promoted, before.Position, 100)
		wants(t, r, is, true, 2)
		if ahead, err := begun.Ahead(before.Position); !ahead || err != nil {
			t.Errorf("got %t, %v", ahead, err)
		}
		r, is = since(t, begun, before.Position, 100)
		wants(t, r, is, true, 1, 2)
	})
	t.Run("gives many in pieces, also where it goes on elsewhere", func(t *testing.T) {
		a, b := memory("a"), memory("b")
		var list []revocations.Session
		for n := byte(1); n <= 5; n++ {
			list = append(list, ended(n, int64(n)))
		}
		a.Learn(news(6, 0, list...), now)
		b.Learn(news(6, 0, list...), now)
		r, is := since(t, a, "", 2)
		wants(t, r, is, true, 1, 2)
		if !r.More {
			t.Error("there is more")
		}
		elsewhere, is := since(t, b, r.Position, 100)
		wants(t, elsewhere, is, true, 1, 2, 3, 4, 5)
		r, is = since(t, a, r.Position, 2)
		wants(t, r, is, true, 3, 4)
		r, is = since(t, a, r.Position, 2)
		wants(t, r, is, true, 5)
		if r.More {
			t.Error("that was all")
		}
		r, is = since(t, b, r.Position, 2)
		wants(t, r, is, false)
	})
	t.Run("refuses what is no cursor", func(t *testing.T) {
		for _, text := range []string{
			"x", "0.1.2.a", "0.1.2.a.b", "0.-1.0.a.0", "0.1.2.a.3.4", "0.99999999999999999999.0.a.0", "....", "0.1..a.0", "a.1.2.a.3",
		} {
			if _, _, _, err := k.Since(text, 1); !errors.Is(err, roster.ErrInvalidCursor) {
				t.Errorf("%q: %v", text, err)
			}
			if _, err := k.Ahead(text); !errors.Is(err, roster.ErrInvalidCursor) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

// SESS-49: what can kill no token any more is forgotten, and not before.
func TestSweep(t *testing.T) {
	k := memory("a")
	k.Learn(revocations.News{Position: 1, Sessions: []revocations.Session{ended(1, 0)}, Users: []revocations.User{{ID: id(2), Epoch: 1}}}, now)
	claims := roster.Claims{Subject: id(3), SessionID: id(1)}
	k.Learn(news(1, 0), now.Add(k.Life()))
	if k.Size() != 2 {
		t.Errorf("knows %d", k.Size())
	}
	claims.IssuedAt = now.Add(k.Life())
	if err := k.Judge(&claims, now.Add(k.Life())); !errors.Is(err, roster.ErrSessionRevoked) {
		t.Errorf("got %v", err)
	}
	k.Learn(news(1, 0), now.Add(k.Life()+time.Minute))
	if r, _ := since(t, k, "", 10); k.Size() != 0 || len(r.Sessions)+len(r.Users) != 0 {
		t.Errorf("knows %d, tells %v", k.Size(), r)
	}
}
