package integration_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

// hash is the stored hash of a user's password; "" is none.
func (w *world) hash(t testing.TB, id roster.ID) string {
	t.Helper()
	var hashes []string
	if err := w.DB.SelectContext(t.Context(), &hashes, "SELECT hash FROM roster_passwords WHERE user_id = $1", id); err != nil {
		t.Fatal(err)
	}
	return strings.Join(hashes, " ")
}

// PASS-11, PASS-21, PASS-33: checking a password.
func TestCheckPassword(t *testing.T) {
	counted(t, func(t *testing.T, w *world, hasher *counter) {
		u := w.add(t, person("anna", "", ""), roster.WithPassword("zwölf boxkämpfer"))
		none := w.add(t, person("none", "", ""))
		unreadable := w.add(t, person("unreadable", "", ""), roster.WithPassword(secret))
		w.exec(t, "UPDATE roster_passwords SET hash = 'nonsense' WHERE user_id = $1", unreadable.ID)
		before := w.tables(t)
		w.fired()
		for _, tt := range []struct {
			id       roster.ID
			password string
			right    bool
		}{
			{u.ID, "zwölf boxkämpfer", true},
			{u.ID, "zwo\u0308lf boxka\u0308mpfer", true},
			{u.ID, "ｚwölf boxkämpfer", true},
			{u.ID, "zwölf boxkämpfer ", false},
			{u.ID, "Zwölf boxkämpfer", false},
			{u.ID, "", false},
			{u.ID, "\x00", false},
			{u.ID, "\xff", false},
			{u.ID, strings.Repeat("x", 1<<20), false},
			{none.ID, "", false},
			{none.ID, "zwölf boxkämpfer", false},
			{unreadable.ID, string(secret), false},
			{unreadable.ID, "nonsense", false},
		} {
			hasher.verified.Store(0)
			err := w.CheckPassword(t.Context(), tt.id, roster.Secret(tt.password))
			if tt.right {
				same(t, nil, err)
			} else {
				refused(t, err, roster.ErrInvalidPassword)
			}
			if n := hasher.verified.Load(); n < 1 || n > 2 { // a second one for another spelling, or an unreadable hash
				t.Errorf("%.20q: %d verifications", tt.password, n)
			}
		}
		same(t, []string(nil), w.fired())
		same(t, before, w.tables(t))
	}, withoutLanes)
}

// PROT-31, SEC-23, PASS-11, case 23 of protection: wrong answers of a signed-in user are counted by user and session.
func TestCheckPasswordCounts(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		hasher := &broken{}
		w := found(t, db, func(cfg *usersrepo.Config) { cfg.Password.Hasher = hasher })
		u := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		as := func(sid roster.ID) context.Context {
			return roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorUser, ID: u.ID, SID: sid})
		}
		first, second := as(w.NewID()), as(w.NewID())
		fail := func(ctx context.Context, n int) {
			t.Helper()
			for range n {
				refused(t, w.CheckPassword(ctx, u.ID, "wrong"), roster.ErrInvalidPassword)
			}
		}
		fail(first, 9)
		same(t, nil, w.CheckPassword(first, u.ID, secret)) // and the count is gone
		hasher.err = roster.ErrUnavailable
		for range 20 { // what could not be judged does not count
			refused(t, w.CheckPassword(first, u.ID, "wrong"), roster.ErrUnavailable)
		}
		hasher.err = nil
		fail(first, 10)
		for _, password := range []roster.Secret{"wrong", secret} {
			refused(t, w.CheckPassword(first, u.ID, password), roster.ErrTooManyRequests)
		}
		same(t, nil, w.CheckPassword(second, u.ID, secret))
		fail(t.Context(), 10) // without a session it counts per user
		refused(t, w.CheckPassword(t.Context(), u.ID, secret), roster.ErrTooManyRequests)
		w.enter(t, "anna") // log-ins are counted elsewhere
		w.Clock.Advance(time.Second)
		same(t, nil, w.CheckPassword(first, u.ID, secret))
		same(t, nil, w.CheckPassword(t.Context(), u.ID, secret))
		for range 10 { // and stop nobody who is signed in
			_, err := w.Login(t.Context(), roster.PasswordCredentials("anna", "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
		}
		same(t, nil, w.CheckPassword(second, u.ID, secret))
	})
}

// imports are hashes of other systems, each of "correct horse battery".
var imports = map[string]string{
	"argon2id":             "$argon2id$v=19$m=19456,t=2,p=1$cm9zdGVyLXRlc3Qtc2FsdA$zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE",
	"django argon2":        "argon2$argon2id$v=19$m=102400,t=2,p=8$cm9zdGVyLXRlc3Qtc2FsdA$VGZNatW3knullQk2T6Sk+TYPA/04o1uTh7zTvIVtf04",
	"django pbkdf2_sha256": "pbkdf2_sha256$260000$rosterTestSalt$IRf1XAHUW62JexAkcgM9I20RAjr49FB6Acx3Giai+oE=",
	"django pbkdf2_sha1":   "pbkdf2_sha1$260000$rosterTestSalt$gS7kzs+Z+koJIMq/kg6T+tLKUpQ=",
	"django scrypt":        "scrypt$16384$rosterTestSalt$8$1$FI/fO5xmvM6vwaqAnkhC9badAlFyMXkXej2tP4vkzPaa4YBLrwN/M8122A5pLo9Krr/XU836568rRzZANFB6sA==",
	"bcrypt":               "$2a$10$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S",
	"django bcrypt_sha256": "bcrypt_sha256$$2a$10$7O.YOxnRh1x9/9gJYXSbSe1gMk6W3ZQHNf03OOrdebiQeIj37/IAG",
	"django bcrypt":        "bcrypt$$2a$10$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S",
}

// PASS-30, PASS-34, PASS-39, USER-15, cases 15 and 16: imported hashes let their owners in, and become ours.
func TestImportedHashes(t *testing.T) {
	t.Parallel()
	w := found(t, rostertest.Open(t, rostertest.SQLite), withoutLanes, func(cfg *usersrepo.Config) { cfg.Password.Hasher = nil })
	for name, encoded := range imports {
		t.Run("PASS-34 hashes anew what comes from "+name, func(t *testing.T) {
			u := w.add(t, person("user-"+strings.ReplaceAll(name, " ", "."), "", ""), roster.WithPasswordHash(roster.Secret(encoded)))
			same(t, encoded, w.hash(t, u.ID))
			_, err := w.Login(t.Context(), roster.PasswordCredentials(*u.Username, "wrong horse battery"))
			refused(t, err, roster.ErrInvalidCredentials)
			pair := w.issue(t, u.ID)
			w.fired()
			w.enter(t, *u.Username)
			same(t, []string{"BeforeLogin", "AfterLogin", "OnLogin"}, w.fired()) // PASS-4: no PasswordChange
			w.alive(t, pair)
			hash := w.hash(t, u.ID)
			if (hash == encoded) != (name == "argon2id") || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") { // that one is ours
				t.Errorf("afterwards it is %s", hash)
			}
			w.enter(t, *u.Username)
			same(t, hash, w.hash(t, u.ID))
		})
	}
}

// PASS-38, case 17: hashes that nobody should import.
func TestRefusedHashes(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for _, encoded := range []string{
			"plain", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "5f4dcc3b5aa765d61d8327deb882cf99", "sha1$$x", "$argon2id$broken", "$2b$31$" + strings.Repeat("a", 53),
			"$argon2id$v=19$m=4194304,t=2,p=1$cm9zdGVyLXRlc3Qtc2FsdA$zxsGjGa8CXKc3mFvhjS8Q3dDDbeGZjI2Grs6kasoaCE", "pbkdf2_sha256$10000001$salt$eA==", "\x00", "\xff",
		} {
			_, err := w.Create(t.Context(), person("anna", "", ""), roster.WithPasswordHash(roster.Secret(encoded)))
			refused(t, err, roster.ErrValidationFailed, "password:invalid_hash")
		}
		same(t, 0, w.rows(t, "users"))
		for i, encoded := range []roster.Secret{"", "!", "!unusable"} {
			u := w.add(t, person(fmt.Sprintf("none%d", i), "", ""), roster.WithPasswordHash(encoded))
			same(t, "", w.hash(t, u.ID))
		}
	})
}

// PASS-34: a change that comes meanwhile wins over the new hash of the old password, and failing to hash fails no log-in.
func TestRehashGivesWay(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		r := &rehasher{}
		cfg, _ := rostertest.Config(t, db)
		if err := usersrepo.Init(r, cfg); err != nil {
			t.Fatal(err)
		}
		u, err := r.Create(t.Context(), person("anna", "", ""), roster.WithPasswordHash(roster.Secret(imports["bcrypt"])))
		if err != nil {
			t.Fatal(err)
		}
		r.meanwhile = func(context.Context) error { return errors.New("no hash today") }
		if _, err := r.Login(t.Context(), roster.PasswordCredentials("anna", secret)); err != nil {
			t.Errorf("the log-in failed with the new hash: %v", err)
		}
		r.meanwhile = func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "UPDATE roster_passwords SET hash = 'changed meanwhile'")
			return err
		}
		if _, err := r.Login(t.Context(), roster.PasswordCredentials("anna", secret)); err != nil {
			t.Error(err)
		}
		var hash string
		if err := db.GetContext(t.Context(), &hash, "SELECT hash FROM roster_passwords WHERE user_id = $1", u.ID); err != nil || hash != "changed meanwhile" {
			t.Errorf("%q, %v", hash, err)
		}
	})
}

// rehasher is a program in which something happens while a password is hashed.
type rehasher struct {
	usersrepo.UsersRepo[*Person]
	meanwhile func(ctx context.Context) error
}

func (r *rehasher) HashPassword(ctx context.Context, password roster.Secret) (string, error) {
	if r.meanwhile != nil {
		if err := r.meanwhile(ctx); err != nil {
			return "", err
		}
	}
	return r.UsersRepo.HashPassword(ctx, password)
}

// PASS-31: settings below the floor.
func TestWeakHashers(t *testing.T) {
	t.Parallel()
	for _, weak := range []passwords.Hasher{passwords.Argon2id{Memory: 1024}, passwords.Argon2id{Memory: 19455, Time: 2}, passwords.Bcrypt{Cost: 9}} {
		cfg, _ := rostertest.Config(t, rostertest.Open(t, rostertest.SQLite))
		cfg.Password.Hasher = weak
		if _, err := usersrepo.New[*Person](cfg); err == nil {
			t.Errorf("%+v was accepted", weak)
		}
	}
}

// PASS-35: who waits for a hash holds no connection; too many at once are told so.
func TestHashingHoldsNoConnection(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		slow := &slowly{entered: make(chan struct{}, 64), gate: make(chan struct{})}
		w := found(t, db, func(cfg *usersrepo.Config) {
			cfg.Password.Hasher, cfg.Password.MaxConcurrent, cfg.Password.MaxWaiting = slow, 1, 2
		})
		slow.on.Store(true)
		done := make(chan map[roster.Code]int)
		go func() {
			done <- atOnce(6, func(i int) error {
				_, err := w.Create(context.WithoutCancel(t.Context()), person(fmt.Sprintf("user%d", i), "", ""), roster.WithPassword(secret))
				return err
			})
		}()
		<-slow.entered
		if n := db.Stats().InUse; n != 0 {
			t.Errorf("%d connections are held while a password is hashed", n)
		}
		w.add(t, person("beside", "", ""))
		close(slow.gate)
		codes := <-done
		if codes[""] < 3 || codes[""]+codes["unavailable"] != 6 {
			t.Errorf("%v", codes)
		}
	})
}

// slowly is a hasher that waits at a gate, once it is on.
type slowly struct {
	rostertest.Hasher
	on      atomic.Bool
	entered chan struct{}
	gate    chan struct{}
}

func (s *slowly) Hash(ctx context.Context, password roster.Secret) (string, error) {
	if s.on.Load() {
		s.entered <- struct{}{}
		<-s.gate
	}
	return s.Hasher.Hash(ctx, password)
}
