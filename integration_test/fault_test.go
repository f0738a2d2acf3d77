package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/servers"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// The tests whose names begin with TestFault take servers of their own away from nodes that run, and give them back.

// returns is how long service may take to return by itself, and a revocation to be known everywhere, on a slow machine.
const returns = 15 * time.Second

// ownRedis starts a Redis server that a test may kill.
func ownRedis(t testing.TB, settings ...string) *servers.Redis {
	t.Helper()
	r, err := servers.StartRedis(t.Context(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// ownPostgres starts a PostgreSQL server that a test may kill.
func ownPostgres(t testing.TB, settings ...string) *servers.Postgres {
	t.Helper()
	p, err := servers.StartPostgres(t.Context(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// node is a repo that runs and serves its endpoints at url, by the clock of the machine.
type node struct {
	*world
	url string
	log *serverLog
}

// fleet is some nodes on one database, as a balancer has them.
type fleet []*node

// newFleet starts nodes on the database at an address, each with connections of its own. Limits are on; the address that a
// request counts by is what X-Forwarded-For says.
func newFleet(t *testing.T, address string, n int, settings ...func(i int, cfg *usersrepo.Config)) fleet {
	t.Helper()
	list := make(fleet, n)
	for i := range list {
		list[i] = &node{log: &serverLog{}}
	}
	settings = append([]func(int, *usersrepo.Config){func(i int, cfg *usersrepo.Config) {
		cfg.Now, cfg.Logger = time.Now, slog.New(slog.NewTextHandler(list[i].log, nil))
	}}, settings...)
	extract, err := routes.TrustProxies("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range clusterOn(t, address, n, settings...) {
		e := echo.New()
		cfg := routes.Config{IPExtractor: extract, Logger: slog.New(slog.DiscardHandler)}
		if _, err := routes.User(e.Group(""), w.UsersRepo, cfg); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(e)
		t.Cleanup(server.Close)
		list[i].world, list[i].url = w, server.URL
		w.runs(t)
	}
	return list
}

// answer is what became of a request.
type answer struct {
	status int
	code   string // of a problem
	wait   string // Retry-After
	body   map[string]any
	took   time.Duration
	err    error // there was none
}

func (a answer) String() string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.code != "":
		return fmt.Sprint(a.status, " ", a.code)
	}
	return fmt.Sprint(a.status)
}

// is reports whether it has one of these statuses.
func (a answer) is(statuses ...int) bool { return a.err == nil && slices.Contains(statuses, a.status) }

// unavailable reports whether it says in good order that nothing is known.
func (a answer) unavailable() bool {
	return a.err == nil && a.status == http.StatusServiceUnavailable && a.code == "unavailable" && a.wait != ""
}

// secret is a member of the body, or of its tokens.
func (a answer) secret(name string) roster.Secret {
	if inner, ok := a.body["tokens"].(map[string]any); ok {
		if s, ok := inner[name].(string); ok {
			return roster.Secret(s)
		}
	}
	s, _ := a.body[name].(string)
	return roster.Secret(s)
}

// longestAnswer is when the client of these tests gives up.
const longestAnswer = 30 * time.Second

// ask sends a request, "POST /login". It may be called from any goroutine.
func (n *node) ask(what string, body fields, options ...option) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), longestAnswer)
	defer cancel()
	method, path, _ := strings.Cut(what, " ")
	var text []byte
	if body != nil {
		if text, a.err = json.Marshal(body); a.err != nil {
			return a
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, n.url+path, bytes.NewReader(text))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	c := &call{Request: r, client: http.DefaultClient}
	for _, set := range options {
		set(c)
	}
	began := time.Now()
	response, err := c.client.Do(r)
	if err != nil {
		return answer{err: err, took: time.Since(began)}
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	a = answer{status: response.StatusCode, wait: response.Header.Get("Retry-After"), took: time.Since(began), err: err}
	if len(text) > 0 {
		_ = json.Unmarshal(text, &a.body) // what is not JSON has no members
	}
	a.code, _ = a.body["code"].(string)
	if a.status >= 400 && a.err == nil && (a.code == "" || response.Header.Get("Content-Type") != "application/problem+json") {
		a.err = fmt.Errorf("%d that is no problem: %.200s", a.status, text)
	}
	return a
}

// login logs somebody in from an address of their own.
func (n *node) login(name string, password roster.Secret) answer {
	return n.ask("POST /login", fields{"login": name, "password": password.Reveal()}, someAddress())
}

func (n *node) me(access roster.Secret) answer {
	return n.ask("GET /me", nil, as(access), someAddress())
}

func (n *node) refresh(token roster.Secret) answer {
	return n.ask("POST /token/refresh", fields{"refresh_token": token.Reveal()}, someAddress())
}

func (n *node) reset(token, password roster.Secret) answer {
	return n.ask("POST /password/reset", fields{"token": token.Reveal(), "password": password.Reveal()}, someAddress())
}

// someAddress is one that nobody else asks from.
func someAddress() option {
	return header("X-Forwarded-For", fmt.Sprintf("2001:db8:%x:%x::1", rand.Uint32N(1<<16), rand.Uint32N(1<<16)))
}

// member is somebody with a name, a password and a proven e-mail address.
type member struct {
	*Person
	name     string
	password roster.Secret
	ended    int  // sessions, each in another way than the one before
	unsure   bool // a use of a code was answered by a 503
}

func (n *node) member(t testing.TB) *member {
	t.Helper()
	name := "m" + roster.NewID().String()[24:]
	u := n.add(t, person(name, name+"@example.com", ""), roster.WithPassword(passphrase), roster.WithEmailVerified())
	return &member{Person: u, name: name, password: passphrase}
}

// load is what people do on all nodes while servers fail: each logs in, asks, refreshes, mistypes, uses a code and resets
// the password on one node after the other, and is logged out or kicked. It knows what each answer may be.
type load struct {
	fleet fleet
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex
	answers map[string]map[string]int // by what was asked for
	right   map[string]bool           // what was answered as in good times
	longest map[string]time.Duration
	wrong   []string
	ended   []roster.TokenPair // nothing of them may work again
}

// begin lets so many people begin. What they do ends with the test, or before by end.
func (f fleet) begin(t testing.TB, people int) *load {
	t.Helper()
	l := &load{fleet: f, stop: make(chan struct{}), answers: map[string]map[string]int{}, right: map[string]bool{}, longest: map[string]time.Duration{}}
	for i := range people {
		m := f[0].member(t)
		m.ended = i
		l.wg.Go(func() {
			for !l.stopped() {
				l.life(m)
			}
		})
	}
	t.Cleanup(l.halt)
	return l
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) halt() {
	if !l.stopped() {
		close(l.stop)
	}
	l.wg.Wait()
}

// any is a node that a balancer might choose.
func (l *load) any() *node { return l.fleet[rand.IntN(len(l.fleet))] }

// breath is how long people wait after a 503: without it they would be the load that keeps service away.
const breath = 50 * time.Millisecond

// note writes an answer down, and what is wrong with it. It reports whether it is the one that is right in good times.
func (l *load) note(what string, a answer, right ...int) bool {
	if a.unavailable() {
		defer time.Sleep(breath)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.answers[what] == nil {
		l.answers[what] = map[string]int{}
	}
	l.answers[what][a.String()]++
	l.longest[what] = max(l.longest[what], a.took)
	if a.is(right...) {
		l.right[what] = true
		return true
	}
	if !a.unavailable() {
		l.wrong = append(l.wrong, what+": "+a.String())
	}
	return false
}

// noteCall does the same for a call of the library.
func (l *load) noteCall(what string, began time.Time, err error, right ...error) bool {
	a := answer{status: http.StatusOK, took: time.Since(began)}
	switch {
	case err == nil && len(right) == 0, slices.ContainsFunc(right, func(want error) bool { return errors.Is(err, want) }):
	case errors.Is(err, roster.ErrUnavailable):
		a = answer{status: http.StatusServiceUnavailable, code: "unavailable", wait: "1", took: a.took}
	default:
		a.err = fmt.Errorf("error %w", err)
	}
	return l.note(what, a, http.StatusOK)
}

// asked is all that life asks for.
var asked = []string{
	"wrong password", "log in", "ask", "refresh", "make a code", "use a code", "log out", "kick", "ask for a reset", "reset",
	"ask after the end", "refresh after the end",
}

// life is a round of somebody's life. Where nothing is known it begins anew.
func (l *load) life(m *member) {
	if !l.note("wrong password", l.any().login(m.name, "wrong"), http.StatusUnauthorized) {
		return
	}
	in := l.any().login(m.name, m.password)
	if !l.note("log in", in, http.StatusOK) {
		return
	}
	pair := roster.TokenPair{AccessToken: in.secret("access_token"), RefreshToken: in.secret("refresh_token")}
	l.note("ask", l.any().me(pair.AccessToken), http.StatusOK)
	next := l.any().refresh(pair.RefreshToken)
	// A 503 leaves open whether it took place, and the same token may be sent again.
	for range 3 {
		if !next.unavailable() || l.stopped() {
			break
		}
		l.note("refresh", next, http.StatusOK)
		next = l.any().refresh(pair.RefreshToken)
	}
	if l.note("refresh", next, http.StatusOK) {
		pair.AccessToken, pair.RefreshToken = next.secret("access_token"), next.secret("refresh_token")
		l.note("ask", l.any().me(pair.AccessToken), http.StatusOK)
	}
	l.code(m)
	l.end(m, pair)
}

// code makes a one-time password on one node, and uses it on two at once: one of them may.
func (l *load) code(m *member) {
	ctx := context.Background()
	began, object := time.Now(), roster.OTPRelated("user", m.ID.String())
	x, err := l.any().CreateOTP(ctx, "fault", object)
	if !l.noteCall("make a code", began, err) {
		return
	}
	var uses [2]struct {
		err  error
		used bool
		took time.Duration
	}
	var wg sync.WaitGroup
	for i := range uses {
		wg.Go(func() {
			began := time.Now()
			got, err := l.any().UseOTP(ctx, "fault", x.SecretKey, object)
			uses[i].err, uses[i].used, uses[i].took = err, err == nil && got != nil, time.Since(began)
		})
	}
	wg.Wait()
	used := 0
	for _, u := range uses {
		if u.used {
			used++
		}
		m.unsure = m.unsure || errors.Is(u.err, roster.ErrUnavailable)
	}
	for _, u := range uses {
		// A use that nobody could judge may stay counted as a failure, and make the next ones wait.
		if m.unsure && errors.Is(u.err, roster.ErrTooManyRequests) {
			time.Sleep(breath)
			continue
		}
		l.noteCall("use a code", time.Now().Add(-u.took), u.err)
	}
	if used > 1 {
		l.fault("a code was used twice")
	}
}

// end ends a session in one of the ways, and looks whether it has.
func (l *load) end(m *member, pair roster.TokenPair) {
	ctx, began, n := context.Background(), time.Now(), l.any()
	m.ended++
	switch m.ended % 3 {
	case 0:
		if !l.note("log out", n.ask("POST /token/revoke", fields{"refresh_token": pair.RefreshToken.Reveal()}, someAddress()), http.StatusOK) {
			return
		}
	case 1:
		if !l.noteCall("kick", began, n.Kick(ctx, m.ID)) {
			return
		}
	default:
		if n = l.resets(m); n == nil {
			return
		}
	}
	l.mu.Lock()
	l.ended = append(l.ended, pair)
	l.mu.Unlock()
	l.note("ask after the end", n.me(pair.AccessToken), http.StatusUnauthorized)
	l.note("refresh after the end", l.any().refresh(pair.RefreshToken), http.StatusUnauthorized, http.StatusForbidden)
}

// resets gives somebody another password. It returns the node that did; nil: none may have.
func (l *load) resets(m *member) *node {
	began, n := time.Now(), l.any()
	token, err := n.SetPasswordResetToken(context.Background(), m.ID)
	if !l.noteCall("ask for a reset", began, err) {
		return nil
	}
	password := roster.Secret(roster.NewID().String())
	a := n.reset(token, password)
	for a.unavailable() {
		if l.note("reset", a, http.StatusOK); l.stopped() {
			return nil
		}
		// The token may have been used, and nobody been told: then no node knows it for its own deed.
		in := l.any().login(m.name, password)
		for in.unavailable() && !l.stopped() {
			l.note("log in after a reset", in, http.StatusOK)
			in = l.any().login(m.name, password)
		}
		if l.note("log in after a reset", in, http.StatusOK, http.StatusUnauthorized); in.is(http.StatusOK) {
			m.password = password
			return nil
		}
		a = n.reset(token, password)
	}
	if !l.note("reset", a, http.StatusOK) {
		return nil
	}
	m.password = password
	return n
}

func (l *load) fault(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, text)
}

// done ends the load, once all that people ask for was answered rightly. It checks that each answer was right, or where that
// may be a 503 in good order, that none took longer than most, and that what has ended is refused on every node.
func (l *load) done(t testing.TB, most time.Duration, may503 bool) {
	t.Helper()
	var missing []string
	for began := time.Now(); ; time.Sleep(breath) {
		if missing = l.missing(); len(missing) == 0 || time.Since(began) > 8*returns {
			break
		}
	}
	if l.halt(); len(missing) > 0 {
		t.Errorf("never answered rightly: %q", missing)
	}
	for _, what := range slices.Sorted(maps.Keys(l.answers)) {
		t.Logf("%s: %v, at most %s", what, l.answers[what], l.longest[what].Round(time.Millisecond))
		if n := l.answers[what]["503 unavailable"]; n > 0 && !may503 {
			t.Errorf("%s: unavailable %d times", what, n)
		}
		if l.longest[what] > most {
			t.Errorf("%s: an answer took %s, want %s at most", what, l.longest[what], most)
		}
	}
	if len(l.wrong) > 0 {
		t.Errorf("%d answers are wrong, such as %.1000s", len(l.wrong), strings.Join(l.wrong, "; "))
	}
	if len(l.ended) == 0 {
		t.Error("no session was ended")
	}
	l.fleet.refuses(t, l.ended...)
}

// missing is what was not yet answered as in good times.
func (l *load) missing() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(asked), func(what string) bool { return l.right[what] })
}

// refuses checks that what has ended is refused on every node: after the time that a node may take to know, and from then on
// until the end of the check.
func (f fleet) refuses(t testing.TB, ended ...roster.TokenPair) {
	t.Helper()
	for i, n := range f {
		for _, pair := range ended {
			within(t, returns, fmt.Sprintf("what has ended is refused on node %d", i), func() bool {
				return errors.Is(n.verdict(t, pair), roster.ErrSessionRevoked)
			})
			if _, err := n.Refresh(context.WithoutCancel(t.Context()), pair.RefreshToken); err == nil {
				t.Errorf("on node %d a session goes on that has ended", i)
			}
		}
	}
	for _, n := range f {
		for _, pair := range ended {
			n.judged(t, "what has ended stays so", pair, roster.ErrUnavailable, roster.ErrSessionRevoked)
		}
	}
}
