package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// atOnce runs n functions side by side and returns what each came to.
func atOnce(n int, run func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	running.Wait()
	return errs
}

// needsTwoWriters skips a test where transactions come one after the other.
func (s *suite) needsTwoWriters(t *testing.T) {
	t.Helper()
	if s.Dialect() == store.SQLite {
		t.Skip("SQLite has one writer at a time")
	}
}

// waitUntilBlocked waits until another transaction waits for that in ctx.
func (s *suite) waitUntilBlocked(ctx context.Context, t *testing.T) {
	t.Helper()
	var pid int
	noError(t, store.TxFrom(ctx).QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid))
	for range 2000 {
		if s.count(t, "pg_stat_activity", "$1 = ANY(pg_blocking_pids(pid))", pid) > 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("nobody waits for the transaction")
}

func (s *suite) testParallel(t *testing.T) {
	t.Run("it stores one of 50 users with an identifier in different spellings", func(t *testing.T) {
		for field, change := range map[string]func(a *account, spelling string){
			"email":    func(a *account, spelling string) { a.Email = new(spelling + "@Example.com") },
			"username": func(a *account, spelling string) { a.Username = new(spelling) },
			"phone":    func(a *account, _ string) { a.Phone = new("+436601234567") },
		} {
			spellings := []string{"Somebody", "somebody", "SOMEBODY"}
			created := 0
			for _, err := range atOnce(50, func(i int) error {
				a := s.account()
				change(a, spellings[i%len(spellings)])
				return s.Transact(t.Context(), func(ctx context.Context) error { return s.insert(ctx, a) })
			}) {
				if err == nil {
					created++
					continue
				}
				fails(t, err, roster.ErrIdentifierTaken, field+":taken")
			}
			same(t, "created by "+field, created, 1)
		}
	})
	t.Run("it loses no update", func(t *testing.T) {
		a := s.user(t)
		const n = 20
		for _, err := range atOnce(n, func(i int) error {
			return s.Transact(t.Context(), func(ctx context.Context) error {
				x := &account{}
				if err := s.LockUser(ctx, a.ID, x.dest()); err != nil {
					return err
				}
				set := []store.Assignment{{Column: "version", Value: x.Version + 1}, {Column: "seats", Value: x.Seats + int64(i)}}
				if i%2 == 0 {
					set[1] = store.Assignment{Column: "company", Value: x.Company + "x"}
				}
				return s.UpdateUser(ctx, a.ID, set, store.Holds{})
			})
		}) {
			noError(t, err)
		}
		got := s.get(t, a.ID)
		same(t, "version", got.Version, int64(1+n))
		same(t, "company", got.Company, strings.Repeat("x", n/2))
		same(t, "seats", got.Seats, int64(n*n/4))
	})
	t.Run("it lets many write at once, and fails none", func(t *testing.T) {
		for _, err := range atOnce(20, func(int) error {
			for range 3 {
				a := s.account()
				err := s.Transact(t.Context(), func(ctx context.Context) error {
					return errors.Join(s.insert(ctx, a), s.PutPassword(ctx, a.ID, store.Password{Hash: "h", ChangedAt: s.now}))
				})
				if err := errors.Join(err, s.TouchLastLogin(t.Context(), a.ID, s.now, 100)); err != nil {
					return err
				}
			}
			return nil
		}) {
			noError(t, err)
		}
	})
	t.Run("it lets one of 64 use a link", func(t *testing.T) {
		a, hash := s.user(t), newHash()
		s.link(t, a.ID, hash)
		same(t, "uses", successes(t, 64, func(int) (bool, error) {
			return s.UseLink(t.Context(), store.ConfirmEmail, hash, s.now)
		}), 1)
	})
	t.Run("it lets one of 16 spend a refresh token", func(t *testing.T) {
		x := s.session(t, s.user(t).ID)
		same(t, "rotations", successes(t, 16, func(i int) (bool, error) {
			_, err := s.RotateSession(t.Context(), s.rotation(x, bytes.Repeat([]byte{byte(i)}, 32)), (&account{}).dest())
			if errors.Is(err, roster.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		}), 1)
	})
	t.Run("it lets one of 16 end a session", func(t *testing.T) {
		x := s.session(t, s.user(t).ID)
		same(t, "ends", successes(t, 16, func(int) (bool, error) {
			return s.EndSession(t.Context(), x.ID, s.now, roster.RevokedByLogout)
		}), 1)
	})
	t.Run("it makes one active key of many", func(t *testing.T) {
		for _, err := range atOnce(10, func(i int) error {
			return s.InsertKey(t.Context(), store.Key{
				KID: newID().String(), Algorithm: "ES256", State: "active", Sealed: []byte{byte(i)}, CreatedAt: s.now, ChangedAt: s.now,
			})
		}) {
			noError(t, err)
		}
		keys, err := s.ListKeys(t.Context())
		noError(t, err)
		hasLength(t, "keys", len(keys), 1)
	})
	t.Run("it hands each message to one worker", func(t *testing.T) {
		const n = 40
		s.sql(t, "DELETE FROM %s", s.table("messages"))
		for range n {
			s.message(t)
		}
		var mu sync.Mutex
		claimed := map[roster.ID]int{}
		for _, err := range atOnce(8, func(int) error {
			for {
				list, err := s.ClaimMessages(t.Context(), newID(), 3, s.now, s.now.Add(time.Minute))
				if err != nil || len(list) == 0 {
					return err
				}
				mu.Lock()
				for _, m := range list {
					claimed[m.ID]++
				}
				mu.Unlock()
			}
		}) {
			noError(t, err)
		}
		hasLength(t, "messages", len(claimed), n)
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("message %s: claimed %d times", id, times)
			}
		}
	})
	t.Run("it bounds a user's sessions when many log in at once", func(t *testing.T) {
		a := s.user(t)
		for _, err := range atOnce(12, func(int) error {
			return s.Transact(t.Context(), func(ctx context.Context) error {
				if err := s.LockUser(ctx, a.ID, (&account{}).dest()); err != nil {
					return err
				}
				x := s.newSession(a.ID)
				_, _, err := s.InsertSession(ctx, &x, store.Admission{Most: 4})
				return err
			})
		}) {
			noError(t, err)
		}
		list, err := s.ListSessions(t.Context(), a.ID, s.now)
		noError(t, err)
		hasLength(t, "sessions", len(list), 4)
	})
}

// successes counts those of n side by side that succeed; none may fail.
func successes(t *testing.T, n int, run func(i int) (bool, error)) int {
	t.Helper()
	ok := make([]bool, n)
	for _, err := range atOnce(n, func(i int) (err error) {
		ok[i], err = run(i)
		return err
	}) {
		noError(t, err)
	}
	count := 0
	for _, x := range ok {
		if x {
			count++
		}
	}
	return count
}
