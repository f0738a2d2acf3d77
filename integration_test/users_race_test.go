package integration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roster-go/roster"
)

// atOnce calls fn n times at once and returns the errors by code, "" for none.
func atOnce(n int, fn func(i int) error) map[roster.Code]int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	begin := make(chan struct{})
	codes := map[roster.Code]int{}
	for i := range n {
		wg.Go(func() {
			<-begin
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			codes[codeOf(err)]++
		})
	}
	close(begin)
	wg.Wait()
	return codes
}

// codeOf is the code of an error with its fields.
func codeOf(err error) roster.Code {
	if err == nil {
		return ""
	}
	e := (*roster.Error)(nil)
	if !errors.As(err, &e) {
		return roster.Code(err.Error())
	}
	code := string(e.Code)
	for _, f := range e.Fields {
		code += " " + f.String()
	}
	return roster.Code(code)
}

// USER-21, ACCT-7, STORE-7: of many who want one name, in whatever spelling and by whatever way, one gets it.
func TestCreateRace(t *testing.T) {
	for field, spellings := range map[string][]*Person{
		"username": {person("alice", "", ""), person("ALICE", "", ""), person("Ａlice", "", ""), person(" aLice\n", "", "")},
		"email":    {person("", "a@bücher.example", ""), person("", "A@xn--bcher-kva.example", ""), person("", "a@BÜCHER.example", "")},
		"phone":    {person("", "", "+12025550123"), person("", "", "+1 (202) 555-0123"), person("", "", "+１２０２５５５０１２３")},
	} {
		t.Run(field, func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				const n = 64
				codes := atOnce(n, func(i int) error {
					p := spellings[i%len(spellings)]
					if i%2 == 0 {
						_, err := w.Create(t.Context(), p, roster.WithPassword("correct horse battery"))
						return err
					}
					_, _, err := w.Register(t.Context(), p, "correct horse battery")
					return err
				})
				same(t, map[roster.Code]int{"": 1, roster.Code("identifier_taken " + field + ":taken"): n - 1}, codes)
				same(t, 1, w.rows(t, "users"))
				same(t, 1, w.rows(t, "roster_passwords"))
				if w.rows(t, "roster_messages") > 1 || w.rows(t, "roster_links") > 1 {
					t.Error("a loser left a message or a link")
				}
			})
		})
	}
}

// USER-6: two identifiers, each of another user: who comes last gives way, and the winner is whole.
func TestCreateRaceOfTwoIdentifiers(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		codes := atOnce(32, func(i int) error {
			p := person("one", fmt.Sprintf("p%d@example.com", i), "")
			if i%2 == 1 {
				p = person(fmt.Sprintf("user%d", i), "one@example.com", "")
			}
			_, err := w.Create(t.Context(), p)
			return err
		})
		same(t, map[roster.Code]int{"": 2, "identifier_taken username:taken": 15, "identifier_taken email:taken": 15}, codes)
	})
}

// USER-30, ACCT-48: no update is lost.
func TestUpdateRace(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		u := w.add(t, person("alice", "", ""))
		const n = 64
		codes := atOnce(n, func(i int) error {
			_, err := w.Update(t.Context(), u.ID, func(p *Person) error {
				switch i % 3 {
				case 0:
					p.Score++
				case 1:
					p.Company += "x"
				case 2:
					p.Badge += "y"
				}
				return nil
			})
			return err
		})
		same(t, map[roster.Code]int{"": n}, codes)
		got := w.read(t, u.ID)
		same(t, []any{int64(22), strings.Repeat("x", 21), strings.Repeat("y", 21), int64(n + 1)}, []any{got.Score, got.Company, got.Badge, got.Version})
	})
}

// USER-30: parallel renames of different users to one name; one wins.
func TestUpdateRaceForName(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		var users []*Person
		for i := range 16 {
			users = append(users, w.add(t, person(fmt.Sprintf("user%d", i), "", "")))
		}
		codes := atOnce(len(users), func(i int) error {
			_, err := w.Update(t.Context(), users[i].ID, func(p *Person) error { p.Username = new("Wanted"); return nil })
			return err
		})
		same(t, map[roster.Code]int{"": 1, "identifier_taken username:taken": 15}, codes)
	})
}

// USER-74: whatever runs beside a deletion, no session lives afterwards and no row comes back.
func TestDeleteRace(t *testing.T) {
	for _, mode := range []roster.DeleteMode{roster.Deactivate, roster.Anonymise, roster.Remove} {
		t.Run(string(mode), func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				for round := range 6 {
					name := fmt.Sprintf("user%d", round)
					u := w.add(t, person(name, "", ""), roster.WithPassword("correct horse battery"))
					pair, err := w.IssueTokens(t.Context(), u.ID, roster.IssueOptions{})
					if err != nil {
						t.Fatal(err)
					}
					w.beside(t, u, pair, func() error { return w.Delete(t.Context(), u.ID, mode) })
					w.isGone(t, u.ID, mode, name)
				}
			})
		})
	}
}

// beside runs what a user's clients do, again and again, while a deletion runs, and checks what they are told.
func (w *world) beside(t *testing.T, u *Person, pair roster.TokenPair, act func() error) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	allowed := []roster.Code{
		"", "not_found", "invalid_credentials", "session_revoked", "token_reused", "too_many_requests", "invalid_refresh_token",
	}
	codes := atOnce(12, func(i int) error {
		var err error
		switch i % 6 {
		case 0:
			if i == 0 {
				return act()
			}
		case 1, 2:
			_, err = w.Login(ctx, roster.PasswordCredentials(*u.Username, "correct horse battery"))
		case 3:
			_, err = w.Refresh(ctx, pair.RefreshToken)
		case 4:
			_, err = w.Update(ctx, u.ID, func(p *Person) error { p.Score++; return nil })
		case 5:
			_, err = w.IssueTokens(ctx, u.ID, roster.IssueOptions{})
		}
		return err
	})
	for code := range codes {
		if !slices.Contains(allowed, code) {
			t.Errorf("an operation beside the deletion failed with %s", code)
		}
	}
}

func (w *world) isGone(t *testing.T, id roster.ID, mode roster.DeleteMode, name string) {
	t.Helper()
	same(t, 0, w.rows(t, "roster_sessions WHERE user_id = $1 AND ended_at IS NULL", id))
	switch mode {
	case roster.Remove:
		same(t, 0, w.rows(t, "users WHERE id = $1", id))
		same(t, 0, w.rows(t, "roster_sessions WHERE user_id = $1", id))
	case roster.Anonymise:
		same(t, 1, w.rows(t, "users WHERE id = $1 AND delete_mode = 'anonymise' AND username IS NULL AND score = 0", id))
	case roster.Deactivate:
		same(t, 1, w.rows(t, "users WHERE id = $1 AND delete_mode = 'deactivate' AND username = $2", id, name))
	}
}
