package integration_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/tokens"
	"github.com/roster-go/roster/usersrepo"
)

// nodes are repos of one program on one database, which start at once.
func nodes(t testing.TB, db *sqlx.DB, n int, settings ...func(*usersrepo.Config)) []*world {
	t.Helper()
	cfg, kit := rostertest.Config(t, db)
	for _, set := range settings {
		set(&cfg)
	}
	list := make([]*world, n)
	for i, err := range together(n, func(i int) error {
		repo, err := usersrepo.New[*Person](cfg)
		list[i] = &world{repo, kit, nil}
		return err
	}) {
		if err != nil {
			t.Fatalf("node %d: %v", i, err)
		}
	}
	return list
}

func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	return errs
}

// keyStates are those of the keys.
func (w *world) keyStates(t testing.TB) (list []string) {
	t.Helper()
	for _, k := range must(w.ListKeys(t.Context()))(t) {
		list = append(list, k.State)
	}
	return list
}

// kids are those of the keys in a state.
func (w *world) kids(t testing.TB, state tokens.State) (list []string) {
	t.Helper()
	for _, k := range must(w.ListKeys(t.Context()))(t) {
		if k.State == string(state) {
			list = append(list, k.KID)
		}
	}
	return list
}

// published are the kids of the JWKS.
func (w *world) published(t testing.TB) (list []string) {
	t.Helper()
	var set struct{ Keys []struct{ KID string } }
	if err := json.Unmarshal(must(w.JWKS(t.Context()))(t), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		list = append(list, k.KID)
	}
	return list
}

func kidOf(t testing.TB, token roster.Secret) string {
	t.Helper()
	head, _, _ := strings.Cut(token.Reveal(), ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ KID string }
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header.KID
}

// SESS-60, STORE-54.
func TestKeysAtStart(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		list := nodes(t, db, 8)
		w := list[0]
		t.Run("SESS-60 STORE-54 one node makes one active and one next key", func(t *testing.T) {
			same(t, []string{"active", "next"}, w.keyStates(t))
			for _, other := range list {
				same(t, w.published(t), other.published(t))
			}
		})
		t.Run("SESS-60 an installation that has an active key gets a next one", func(t *testing.T) {
			active := w.kids(t, tokens.Active)
			cfg, _ := rostertest.Config(t, db)
			w.exec(t, "DELETE FROM roster_keys") // sealed under another secret than that of cfg
			first := must(usersrepo.New[*Person](cfg))(t)
			again := &world{first, w.Kit, nil}
			kid := again.kids(t, tokens.Active)
			w.exec(t, "DELETE FROM roster_keys WHERE state = 'next'")
			again = &world{must(usersrepo.New[*Person](cfg))(t), w.Kit, nil}
			same(t, []string{"active", "next"}, again.keyStates(t))
			same(t, kid, again.kids(t, tokens.Active))
			same(t, false, slices.Equal(active, kid))
			t.Run("which is of the algorithm of the settings", func(t *testing.T) {
				cfg.Session.Algorithm = tokens.EdDSA
				other := &world{must(usersrepo.New[*Person](cfg))(t), w.Kit, nil}
				var algorithms []string
				for _, k := range must(other.ListKeys(t.Context()))(t) {
					algorithms = append(algorithms, k.Algorithm)
				}
				same(t, []string{"ES256", "EdDSA"}, algorithms)
				same(t, kid, other.kids(t, tokens.Active))
			})
		})
	})
}

// SESS-61, SESS-62, SESS-64, SEC-55, STORE-54, case 15.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		list := nodes(t, db, 8)
		w, last := list[0], list[7]
		rotate := func(t *testing.T) {
			t.Helper()
			for i, err := range together(len(list), func(i int) error { return list[i].RotateKeys(t.Context()) }) {
				if err != nil {
					t.Fatalf("node %d: %v", i, err)
				}
			}
		}
		u := w.add(t, person("anna", "", ""))
		first, next := w.kids(t, tokens.Active)[0], w.kids(t, tokens.Next)[0]
		t.Run("SESS-61 a next key does not sign before it is known", func(t *testing.T) {
			w.Clock.Advance(10*time.Minute - time.Second)
			rotate(t)
			same(t, []string{first}, w.kids(t, tokens.Active))
			same(t, 0, w.rows(t, "roster_audit WHERE action LIKE 'key.%'"))
		})
		w.Clock.Advance(time.Second)
		before := w.issue(t, u.ID)
		same(t, first, kidOf(t, before.AccessToken))
		t.Run("SESS-62 of eight nodes one makes the step", func(t *testing.T) {
			rotate(t)
			same(t, []string{"active", "next", "retired"}, w.keyStates(t))
			same(t, []string{next}, w.kids(t, tokens.Active))
			same(t, []string{first}, w.kids(t, tokens.Retired))
			same(t, 1, w.rows(t, "roster_audit WHERE action = 'key.rotate' AND result = 'ok'"))
			w.Clock.Advance(10*time.Minute - time.Second)
			rotate(t)
			same(t, []string{next}, w.kids(t, tokens.Active))
			w.Clock.Advance(-(10*time.Minute - time.Second))
		})
		after := w.issue(t, u.ID)
		t.Run("SESS-62 STORE-54 the new key signs, and every node takes its tokens and those of the former", func(t *testing.T) {
			same(t, next, kidOf(t, after.AccessToken))
			for _, node := range list {
				node.alive(t, before)
				node.alive(t, after)
			}
		})
		t.Run("SESS-64 case 15 three keys are published", func(t *testing.T) {
			same(t, []string{next, w.kids(t, tokens.Next)[0], first}, w.published(t))
		})
		t.Run("STORE-54 a node that did not rotate signs with the new key too", func(t *testing.T) {
			other := nodes(t, rostertest.Open(t, rostertest.SQLite), 2)
			x := other[0].add(t, person("bert", "", ""))
			other[0].Clock.Advance(11 * time.Minute)
			if err := other[0].RotateKeys(t.Context()); err != nil {
				t.Fatal(err)
			}
			other[0].Clock.Advance(5 * time.Second)
			same(t, other[0].kids(t, tokens.Active)[0], kidOf(t, other[1].issue(t, x.ID).AccessToken))
		})
		t.Run("SESS-61 case 15 tokens of the former key live to their end, and it leaves then", func(t *testing.T) {
			w.Clock.Advance(10 * time.Minute)
			w.alive(t, before)
			last.alive(t, before)
			w.Clock.Advance(5*time.Second - time.Millisecond)
			same(t, 3, len(w.published(t)))
			_, err := last.VerifyToken(t.Context(), before.AccessToken)
			same(t, nil, err) // exp + leeway is that far
			w.Clock.Advance(time.Millisecond)
			for _, node := range list {
				same(t, 2, len(node.published(t)))
				_, err := node.VerifyToken(t.Context(), before.AccessToken)
				refused(t, err, roster.ErrInvalidToken)
			}
		})
		t.Run("SESS-62 the next step comes after", func(t *testing.T) {
			rotate(t)
			same(t, 2, len(w.kids(t, tokens.Retired)))
			same(t, 2, w.rows(t, "roster_audit WHERE action = 'key.rotate'"))
			w.Clock.Advance(24*time.Hour + time.Second)
			must(w.Clean(t.Context()))(t)
			same(t, []string{"active", "next"}, w.keyStates(t))
		})
		t.Run("SESS-62 a rotation that is rolled back is none", func(t *testing.T) {
			active := w.kids(t, tokens.Active)
			err := w.InTx(t.Context(), func(ctx context.Context) error {
				if err := w.RotateKeys(ctx); err != nil {
					t.Error(err)
				}
				return context.Canceled
			})
			same(t, true, errors.Is(err, context.Canceled))
			same(t, active, w.kids(t, tokens.Active))
			same(t, active[0], kidOf(t, w.issue(t, u.ID).AccessToken))
		})
	})
}

// SEC-55, SESS-62: rotations while people refresh and use their tokens at other nodes disturb none of them.
func TestRotateKeysInTraffic(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		list := nodes(t, db, 4, func(cfg *usersrepo.Config) { cfg.Session.AccessTTL = time.Hour })
		var ids []roster.ID
		for i := range 4 {
			ids = append(ids, list[0].add(t, person(fmt.Sprintf("anna%d", i), "", "")).ID)
		}
		const rotations = 5 // in less than the life of a token: none may be refused
		done := make(chan struct{})
		var traffic sync.WaitGroup
		kids := make([]map[string]bool, len(ids))
		for i, id := range ids {
			kids[i] = map[string]bool{}
			traffic.Go(func() {
				pair, err := list[i].IssueTokens(t.Context(), id, roster.IssueOptions{})
				for n := i; err == nil; n++ {
					kids[i][kidOf(t, pair.AccessToken)] = true
					for _, node := range list {
						_, err := node.VerifyToken(t.Context(), pair.AccessToken)
						for errors.Is(err, roster.ErrUnavailable) { // the clock jumped while the node was reading: what it read is old at once
							_, err = node.VerifyToken(t.Context(), pair.AccessToken)
						}
						if err != nil {
							t.Errorf("verify: %v", err)
							return
						}
					}
					select {
					case <-done:
						return
					default:
					}
					pair, err = list[n%len(list)].Refresh(t.Context(), pair.RefreshToken)
				}
				t.Errorf("refresh: %v", err)
			})
		}
		for i := range rotations {
			time.Sleep(100 * time.Millisecond)
			list[0].Clock.Advance(10 * time.Minute)
			if err := list[i%len(list)].RotateKeys(t.Context()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		close(done)
		traffic.Wait()
		same(t, rotations, len(list[0].kids(t, tokens.Retired)))
		signed := map[string]bool{}
		for _, seen := range kids {
			maps.Copy(signed, seen)
		}
		if len(signed) < 3 {
			t.Errorf("only %d keys have signed", len(signed))
		}
	})
}

// SESS-63, SEC-55.
func TestRevokeKey(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		list := nodes(t, db, 2)
		w, other := list[0], list[1]
		u := w.add(t, person("anna", "", ""))
		w.Clock.Advance(11 * time.Minute)
		old := w.issue(t, u.ID)
		if err := w.RotateKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		revoke := func(t *testing.T, kid string) {
			t.Helper()
			if err := w.RevokeKey(t.Context(), kid); err != nil {
				t.Fatal(err)
			}
		}
		t.Run("SESS-63 an unknown key is none", func(t *testing.T) {
			for _, kid := range []string{"", "nobody", "\x00\xff", strings.Repeat("x", 10000), "' OR 1=1"} {
				refused(t, w.RevokeKey(t.Context(), kid), roster.ErrNotFound)
			}
		})
		t.Run("SESS-63 case 15 of a retired key, its tokens are invalid at once", func(t *testing.T) {
			w.alive(t, old)
			revoke(t, kidOf(t, old.AccessToken))
			_, err := w.VerifyToken(t.Context(), old.AccessToken)
			refused(t, err, roster.ErrInvalidToken)
			same(t, 2, len(w.published(t)))
			same(t, []string{"active", "next", "revoked"}, w.keyStates(t))
		})
		t.Run("SESS-63 a second time changes nothing", func(t *testing.T) {
			revoke(t, kidOf(t, old.AccessToken))
			same(t, 1, w.rows(t, "roster_audit WHERE action = 'key.revoke'"))
		})
		t.Run("SESS-63 of the next key another comes next", func(t *testing.T) {
			next := w.kids(t, tokens.Next)[0]
			revoke(t, next)
			same(t, []string{"active", "next", "revoked", "revoked"}, w.keyStates(t))
			same(t, false, slices.Contains(w.published(t), next))
		})
		live := w.issue(t, u.ID)
		t.Run("SESS-63 of the active key, the next signs at once", func(t *testing.T) {
			active, next := w.kids(t, tokens.Active)[0], w.kids(t, tokens.Next)[0]
			same(t, active, kidOf(t, live.AccessToken))
			other.alive(t, live)
			revoke(t, active)
			same(t, []string{next}, w.kids(t, tokens.Active))
			same(t, 1, len(w.kids(t, tokens.Next)))
			_, err := w.VerifyToken(t.Context(), live.AccessToken)
			refused(t, err, roster.ErrInvalidToken)
			same(t, next, kidOf(t, w.issue(t, u.ID).AccessToken))
		})
		t.Run("SESS-63 refresh tokens are not touched", func(t *testing.T) {
			pair := must(w.Refresh(t.Context(), live.RefreshToken))(t)
			same(t, w.kids(t, tokens.Active)[0], kidOf(t, pair.AccessToken))
			w.alive(t, pair)
			w.Clock.Advance(learns)
			_, err := other.VerifyToken(t.Context(), live.AccessToken) // the first one by which it learns
			refused(t, err, roster.ErrInvalidToken)
			other.alive(t, pair)
		})
		t.Run("SESS-63 other nodes learn of it while they run", func(t *testing.T) {
			pair := w.issue(t, u.ID)
			other.alive(t, pair)
			revoke(t, kidOf(t, pair.AccessToken))
			running(t, other, func() bool {
				_, err := other.VerifyToken(t.Context(), pair.AccessToken)
				return errors.Is(err, roster.ErrInvalidToken)
			})
			same(t, w.published(t), other.published(t))
		})
		t.Run("SEC-55 forgets the material", func(t *testing.T) {
			same(t, 0, w.rows(t, "roster_keys WHERE state = 'revoked' AND length(sealed) > 0"))
			same(t, 2, w.rows(t, "roster_keys WHERE state <> 'revoked' AND length(sealed) > 0"))
		})
		t.Run("SESS-63 a key that was deleted since is refused too", func(t *testing.T) {
			w.Clock.Advance(24*time.Hour + time.Second)
			must(w.Clean(t.Context()))(t)
			same(t, []string{"active", "next"}, w.keyStates(t))
			_, err := w.VerifyToken(t.Context(), live.AccessToken)
			refused(t, err, roster.ErrInvalidToken)
		})
	})
}

// running runs a node until what it is waited for holds.
func running(t *testing.T, w *world, holds func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	for began := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Error("waited for 20 s")
			break
		}
	}
	stop()
	same(t, nil, <-ended)
}

// SESS-62: KeyLife.
func TestKeyLife(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		for i, tt := range []struct{ life, want time.Duration }{
			{0, 90 * 24 * time.Hour}, {30 * 24 * time.Hour, 30 * 24 * time.Hour}, {-1, 0},
		} {
			t.Run(fmt.Sprintf("SESS-62 rotates with %s after %s", tt.life, tt.want), func(t *testing.T) {
				w := found(t, db, func(cfg *usersrepo.Config) {
					cfg.Session.KeyLife, cfg.Store.Prefix = tt.life, fmt.Sprintf("k%d_", i)
					cfg.Store.UsersTable = cfg.Store.Prefix + "users"
				})
				first := w.kids(t, tokens.Active)
				w.Clock.Advance(tt.want - time.Second)
				if tt.want == 0 {
					w.Clock.Advance(10 * 365 * 24 * time.Hour)
				}
				running(t, w, func() bool { return true }) // it looks after the keys at once, and is waited for
				same(t, first, w.kids(t, tokens.Active))
				if tt.want == 0 {
					return
				}
				w.Clock.Advance(time.Second)
				running(t, w, func() bool { return !slices.Equal(first, w.kids(t, tokens.Active)) })
				same(t, first, w.kids(t, tokens.Retired))
			})
		}
	})
}

// SESS-66.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	reads := func() (n int) {
		for _, text := range y.taken() {
			if strings.Contains(text, "roster_keys") && strings.HasPrefix(strings.TrimSpace(text), "SELECT") {
				n++
			}
		}
		return n
	}
	u := w.add(t, person("anna", "", ""))
	pair := w.issue(t, u.ID)
	_, rest, _ := strings.Cut(pair.AccessToken.Reveal(), ".")
	token := func(kid string) roster.Secret {
		head := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"ES256","kid":%q,"typ":"at+jwt"}`, kid))
		return roster.Secret(head + "." + rest)
	}
	flood := func(t *testing.T, n int) {
		t.Helper()
		for _, err := range together(n, func(i int) error {
			_, err := w.VerifyToken(t.Context(), token(fmt.Sprintf("kid-%d", i)))
			return err
		}) {
			refused(t, err, roster.ErrInvalidToken)
		}
	}
	reads()
	t.Run("SESS-66 are looked for once in 10 s, however many ask", func(t *testing.T) {
		flood(t, 200)
		same(t, 1, reads())
		w.Clock.Advance(10*time.Second - time.Millisecond)
		flood(t, 20)
		same(t, 0, reads())
		w.Clock.Advance(time.Millisecond)
		flood(t, 200)
		same(t, 1, reads())
	})
	t.Run("SESS-66 are not looked for when they are malformed", func(t *testing.T) {
		w.Clock.Advance(time.Minute)
		for _, kid := range []string{"", "a b", strings.Repeat("x", 65), "ü"} {
			_, err := w.VerifyToken(t.Context(), token(kid))
			refused(t, err, roster.ErrInvalidToken)
		}
		same(t, 0, reads())
	})
	t.Run("SESS-66 a known key has nothing read", func(t *testing.T) {
		w.alive(t, pair)
		_, err := w.VerifyToken(t.Context(), token(kidOf(t, pair.AccessToken)+"x"))
		refused(t, err, roster.ErrInvalidToken)
		same(t, 1, reads())
		w.alive(t, pair)
		same(t, 0, reads())
	})
	t.Run("SESS-66 within a transaction nothing is read", func(t *testing.T) {
		w.Clock.Advance(time.Minute)
		err := w.InTx(t.Context(), func(ctx context.Context) error {
			_, err := w.VerifyToken(ctx, token("unknown"))
			refused(t, err, roster.ErrInvalidToken)
			return nil
		})
		same(t, nil, err)
		same(t, 0, reads())
	})
}

// SEC-55, SESS-65: a dump of the tables holds no private key in clear.
func TestKeysAtRest(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		for i, algorithm := range []tokens.Algorithm{tokens.ES256, tokens.EdDSA, tokens.RS256, tokens.HS256} {
			t.Run("SEC-55 SESS-65 "+string(algorithm), func(t *testing.T) {
				var list []secrets.Secret
				prefix := fmt.Sprintf("r%d_", i)
				w := found(t, db, func(cfg *usersrepo.Config) {
					list, cfg.Session.Algorithm, cfg.Store.Prefix, cfg.Store.UsersTable = cfg.Secrets, algorithm, prefix, prefix+"users"
				})
				ring := must(secrets.New(list))(t)
				dump, jwks := w.everything(t), string(must(w.JWKS(t.Context()))(t))
				var keys []struct {
					KID    string
					Sealed []byte
				}
				if err := db.SelectContext(t.Context(), &keys, "SELECT kid, sealed FROM "+prefix+"keys"); err != nil || len(keys) != 2 {
					t.Fatal(len(keys), err)
				}
				for _, k := range keys {
					private := must(ring.Open(secrets.SigningKeys, k.Sealed, []byte(k.KID)))(t)
					for at := 0; at+16 <= len(private); at++ {
						piece := private[at : at+16]
						for _, text := range []string{string(piece), fmt.Sprintf("%x", piece)} {
							if found := holding(dump, text); len(found) > 0 || strings.Contains(jwks, text) {
								t.Fatalf("bytes %d of %d of %s are in clear", at, len(private), k.KID)
							}
						}
					}
					same(t, false, strings.Contains(jwks, base64.RawURLEncoding.EncodeToString(private[:15])))
				}
			})
		}
	})
}

// SESS-65: keys of the program's own.
func TestGivenKeys(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		active, next := must(tokens.Generate(tokens.EdDSA, time.Now()))(t), must(tokens.Generate(tokens.ES256, time.Now()))(t)
		retired := must(tokens.Generate(tokens.ES256, time.Now()))(t)
		active.State, active.ID, retired.State = tokens.Active, "ours", tokens.Retired
		w := found(t, db, func(cfg *usersrepo.Config) {
			retired.RetiredAt = cfg.Now()
			cfg.Keys = []tokens.Key{next, retired, active}
		})
		t.Run("SESS-65 are used, and nothing is stored", func(t *testing.T) {
			pair := w.issue(t, w.add(t, person("anna", "", "")).ID)
			same(t, "ours", kidOf(t, pair.AccessToken))
			w.alive(t, pair)
			same(t, 0, w.rows(t, "roster_keys"))
			same(t, []string{"active", "next", "retired"}, w.keyStates(t))
			same(t, []string{"ours", next.ID, retired.ID}, w.published(t))
		})
		t.Run("SESS-65 are changed in the configuration", func(t *testing.T) {
			for _, err := range []error{w.RotateKeys(t.Context()), w.RevokeKey(t.Context(), "ours"), w.RevokeKey(t.Context(), "none")} {
				refused(t, err, roster.ErrConflict)
				same(t, true, strings.Contains(fmt.Sprint(err), "Config.Keys"))
			}
			w.Clock.Advance(1000 * 24 * time.Hour)
			running(t, w, func() bool { return true })
			same(t, 0, w.rows(t, "roster_keys"))
		})
		t.Run("SESS-61 a retired one leaves when it was retired long enough ago", func(t *testing.T) {
			same(t, []string{"ours", next.ID}, w.published(t))
		})
	})
}

// ADMIN-12, SESS-62, SESS-63: who may.
func TestKeysAreForTrustedCode(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		root, _ := w.acting(t, "boss", roster.WithSuperuser(true))
		w.Clock.Advance(time.Hour)
		kid := w.kids(t, tokens.Active)[0]
		_, err := w.ListKeys(root)
		for _, err := range []error{err, w.RotateKeys(root), w.RevokeKey(root, kid)} {
			refused(t, err, roster.ErrForbidden)
		}
		same(t, []string{kid}, w.kids(t, tokens.Active))
		same(t, 3, w.rows(t, "roster_audit WHERE action LIKE 'key.%' AND result = 'refused'"))
	})
}
