package integration_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// STORE-46, SEC-111: while nobody can tell whether a captcha is right, nobody gets in and nobody is registered. Mails that
// cannot be sent are TestMessageIsTriedAgain, breached passwords that cannot be looked up TestPASS_25_Down.
func TestCaptchaServiceDown(t *testing.T) {
	inEachWitness(t, func(t *testing.T, w *witness[*Person], kit *rostertest.Kit) {
		ctx := from(t.Context(), "192.0.2.1")
		must(w.Create(t.Context(), person("annie", "", ""), roster.WithPassword(secret)))(t)
		down := errors.New("dial tcp: connection refused")
		during(w, "BeforeLogin", func(context.Context, *callbacks.Login[*Person]) error { return down })
		during(w, "BeforeCreate", func(context.Context, *callbacks.Create[*Person]) error { return down })
		login, err := w.Login(ctx, roster.PasswordCredentials("annie", secret))
		if !errors.Is(err, down) || login.Tokens != nil {
			t.Errorf("log-in: %v, %v", login, err)
		}
		if _, pair, err := w.Register(ctx, person("berta", "", ""), secret); !errors.Is(err, down) || pair != nil {
			t.Errorf("register: %v, %v", pair, err)
		}
		for table, want := range map[string]int{"users": 1, "roster_sessions": 0} {
			var n int
			if err := kit.DB.GetContext(t.Context(), &n, "SELECT count(*) FROM "+table); err != nil || n != want {
				t.Errorf("%s: %d rows, want %d (%v)", table, n, want, err)
			}
		}
	})
}

// withoutRandom is set for a copy of this program that has no source of random numbers.
const withoutRandom = "ROSTER_TEST_WITHOUT_RANDOM"

// STORE-48: without random numbers there is no secret: the program ends before it has made one.
func TestRandomSourceFails(t *testing.T) {
	t.Parallel()
	if address := os.Getenv(withoutRandom); address != "" {
		makeSecretsWithoutRandom(t, address)
		return
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRandomSourceFails$", "-test.v")
	command.Env = append(os.Environ(), withoutRandom+"=sqlite:"+filepath.Join(t.TempDir(), "roster.db"))
	text, err := command.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Success() {
		t.Errorf("the program went on: %v\n%s", err, text)
	}
	if !strings.Contains(string(text), "failed to read random data") || strings.Contains(string(text), "made:") {
		t.Errorf("%s", text)
	}
}

type exhausted struct{}

func (exhausted) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

func makeSecretsWithoutRandom(t *testing.T, address string) {
	w := found(t, openAddress(t, address))
	u := w.add(t, person("anna", "", ""))
	rand.Reader = exhausted{}
	token, err := w.SetPasswordResetToken(t.Context(), u.ID)
	fmt.Println("made:", token.Reveal(), err)
}

// STORE-56: what a node keeps in memory alone is lost when it starts again, and what is in the database is not.
func TestRestartOnMemoryCache(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		cfg, kit := rostertest.Config(t, db)
		cfg.Protection.CloseAfter = 3
		start := func() *world {
			repo, err := usersrepo.New[*Person](cfg)
			if err != nil {
				t.Fatal(err)
			}
			return &world{repo, kit, nil}
		}
		w := start()
		ctx := from(t.Context(), "192.0.2.1")
		anna := w.add(t, person("anna", "", ""), roster.WithPassword(secret))
		berta := w.add(t, person("berta", "", ""), roster.WithPassword(secret))
		limit, key := roster.Limit{Max: 1, Window: time.Hour}, "restart"
		for _, allowed := range []bool{true, false} {
			v, err := w.CheckTimeoutAndIncr(t.Context(), limit, key)
			same(t, fmt.Sprint(allowed, nil), fmt.Sprint(v.Allowed, err))
		}
		lives, err := w.IssueTokens(t.Context(), anna.ID, roster.IssueOptions{})
		same(t, nil, err)
		ended, err := w.IssueTokens(t.Context(), anna.ID, roster.IssueOptions{})
		same(t, nil, err)
		same(t, nil, w.RevokeSession(t.Context(), anna.ID, ended.SessionID))
		code, err := w.CreateOTP(t.Context(), "restart")
		same(t, nil, err)
		wrong := func(w *world) {
			_, err := w.Login(ctx, roster.PasswordCredentials("berta", "wrong"))
			refused(t, err, roster.ErrInvalidCredentials)
		}
		wrong(w)
		wrong(w)

		w = start()
		v, err := w.CheckTimeoutAndIncr(t.Context(), limit, key)
		same(t, "true <nil>", fmt.Sprint(v.Allowed, err))
		same(t, nil, w.verdict(t, lives))
		refused(t, w.verdict(t, ended), roster.ErrSessionRevoked)
		_, err = w.UseOTP(t.Context(), "restart", code.SecretKey)
		same(t, nil, err)
		wrong(w) // the third closes the password
		_, err = w.Login(ctx, roster.PasswordCredentials("berta", secret))
		refused(t, err, roster.ErrInvalidCredentials)
		if _, err = w.Get(t.Context(), berta.ID); err != nil {
			t.Error(err)
		}
	})
}

// STORE-57: every node may run, and runs once at a time; afterwards nothing of it is left.
func TestRunEnds(t *testing.T) {
	eachKind(t, func(t *testing.T, kind rostertest.Kind) {
		nodes := cluster(t, kind, 3)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, len(nodes))
		for _, w := range nodes {
			go pprof.Do(ctx, pprof.Labels("run", t.Name()), func(ctx context.Context) { ended <- w.Run(ctx) })
		}
		nodes[0].add(t, person("", "anna@example.com", ""), roster.WithConfirmation())
		within(t, returns, "a message is sent", func() bool { return len(nodes[0].Mailbox.All()) > 0 })
		for i, w := range nodes {
			within(t, returns, "a second run is refused", func() bool {
				inner, stop := context.WithCancel(t.Context())
				stop()
				err := w.Run(inner)
				return err != nil && !errors.Is(err, context.Canceled)
			})
			same(t, fmt.Sprint(i, 1), fmt.Sprint(i, len(nodes[0].Mailbox.All())))
		}
		cancel()
		for range nodes {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("run: %v", err)
			}
		}
		// The driver tells the server of what was cancelled, which takes a moment.
		within(t, returns, "nothing is left behind", func() bool { return goroutinesOf(t, t.Name()) == "" })
	})
}

// goroutinesOf are those of this process that a label names.
func goroutinesOf(t *testing.T, label string) string {
	t.Helper()
	var text strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		t.Fatal(err)
	}
	all := strings.Split(text.String(), "\n\n")
	return strings.Join(slices.DeleteFunc(all, func(one string) bool { return !strings.Contains(one, label) }), "\n\n")
}

// stuck is a mail server that says nothing until it is let go.
type stuck struct{ began, letGo chan struct{} }

func (s stuck) Send(ctx context.Context, _ notify.Message) error {
	select {
	case s.began <- struct{}{}:
	default:
	}
	select {
	case <-s.letGo:
	case <-ctx.Done():
	}
	return nil
}

// SEC-81: what is done after an answer keeps the next request on the same connection from nothing.
func TestNextRequestDoesNotWait(t *testing.T) {
	t.Parallel()
	rostertest.Each(t, func(t *testing.T, db *sqlx.DB) {
		mail := stuck{make(chan struct{}, 1), make(chan struct{})}
		s := openSite(t, db, routes.Config{}, func(cfg *usersrepo.Config) { cfg.Notify.Mail = mail })
		s.runs(t)
		defer close(mail.letGo)
		a := s.do(t, "POST /api/register", fields{"email": "anna@example.com", "password": passphrase}).succeeds(t, 201)
		<-mail.began // the mail is under way, and stays so
		began := time.Now()
		s.do(t, "GET /api/me", nil, as(roster.Secret(a.text(t, "tokens.access_token")))).succeeds(t, 200)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the next request took %s", took)
		}
	})
}

// SEC-99: nothing that a query says gets into the text of a statement.
func TestQueriesMakeNoSQL(t *testing.T) {
	t.Parallel()
	w, y := tallied(t)
	w.add(t, person("anna", "anna@example.com", ""))
	const mark = "zq9"
	hostile := []string{
		mark, mark + "'", mark + `"`, mark + "; DROP TABLE users", mark + "--", "'||" + mark + "||'", `\` + mark, "$1" + mark, "{columns}" + mark,
		"{users." + mark + "}", mark + "\n", "ümlaut" + mark, mark + "%_", "(SELECT " + mark + ")",
	}
	first, err := w.Search(t.Context(), roster.Query{Limit: 1})
	same(t, nil, err)
	y.taken()
	known := map[string]bool{}
	for _, text := range hostile {
		queries := []roster.Query{{Text: text}, {Cursor: text}, {Cursor: first.Next + text}, {Sort: []roster.Sort{{Field: text}}}}
		for _, field := range []string{"username", "email", "phone", "created_at", "superuser", "permissions", "company", text} {
			for _, op := range []roster.Op{roster.Eq, roster.Ne, roster.In, roster.Lt, roster.StartsWith, roster.Contains, roster.IsNull, roster.Op(text)} {
				for _, value := range []any{text, roster.Literal(text), []string{text}, map[string]any{text: text}} {
					queries = append(queries, roster.Query{Filters: []roster.Filter{{Field: field, Op: op, Value: value}}})
				}
			}
		}
		for _, q := range queries {
			_, err := w.Search(t.Context(), q)
			if e, ok := errors.AsType[*roster.Error](err); err != nil && (!ok || e.Code == roster.CodeInternal) {
				t.Errorf("%+v: %v", q, err)
			}
			_, _ = w.Count(t.Context(), q)
		}
		for _, statement := range y.taken() {
			if strings.Contains(statement, mark) {
				t.Fatalf("%q is in %s", text, statement)
			}
			known[statement] = true
		}
	}
	if len(known) < 5 || len(known) > 200 {
		t.Errorf("%d texts of statements", len(known))
	}
}
