package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/usersrepo"
)

// The environment of TestAccountServer: where the users are, and where it leaves its mails.
const (
	accountDatabase = "ROSTER_TEST_ACCOUNT_DATABASE"
	accountMail     = "ROSTER_TEST_ACCOUNT_MAIL"
)

// mailbag is a sender that leaves mails at a URL.
type mailbag string

// letter is what it leaves of one.
type letter struct {
	ID           roster.ID
	Token, Code  string
	timesBrought int
}

// Send implements notify.Sender.
func (url mailbag) Send(ctx context.Context, m notify.Message) error {
	text, err := json.Marshal(letter{ID: m.ID, Token: m.Token.Reveal(), Code: m.Code.Reveal()})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, string(url), bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// accountConfig is what the servers have in common.
func accountConfig(t *testing.T, address string, sender notify.Sender) usersrepo.Config {
	t.Helper()
	cfg := workerConfig(t, address, sender)
	cfg.Password.Hasher, cfg.Password.ResetForUnverified = rostertest.Hasher{}, mixins.SendReset
	cfg.Session.Grace = time.Minute // a busy machine takes its time to start a server
	p := &cfg.Protection
	for _, lane := range []*mixins.LaneConfig{&p.Source, &p.Registration, &p.Mails, &p.AskedMessages, &p.Codes, &p.CodePause} {
		lane.Off = true
	}
	return cfg
}

// TestAccountServer is the process that TestAccountsSurviveKill kills; by itself it does nothing. It is given a socket on
// which it serves people.
func TestAccountServer(t *testing.T) {
	address := os.Getenv(accountDatabase)
	if address == "" {
		return
	}
	listener, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	repo, err := usersrepo.New[*Person](accountConfig(t, address, mailbag(os.Getenv(accountMail))))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = repo.Run(t.Context()) }()
	e := echo.New()
	if _, err := routes.User(e.Group("/api"), repo, routes.Config{Limits: map[string]int{"*": 0}, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	_ = server.Serve(listener)
}

// siege is a server that is killed over and over while people use it.
type siege struct {
	ctx       context.Context
	db        *sqlx.DB
	url       string
	customers int

	mu       sync.Mutex
	letters  map[roster.ID]*letter
	answers  int            // of all requests that change something
	good     map[string]int // those that say that it was done, by path
	unsure   map[string]int // requests that were refused, but had got no answer before
	unheard  int            // requests that got no answer
	failures []string
}

// ACCT-5, ACCT-7, ACCT-8, PASS-41, OTP-16, OTP-34, SESS-29, SESS-36, MAIL-15, STORE-55: a server that is killed amid registrations,
// resets of passwords, refreshes and codes leaves nothing half done, loses nothing that it said was done, and needs nobody to mend anything.
func TestAccountsSurviveKill(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		kind             rostertest.Kind
		customers, kills int
	}{{rostertest.PostgreSQL, 200, 5}, {rostertest.SQLite, 40, 2}} {
		t.Run(string(x.kind), func(t *testing.T) {
			t.Parallel()
			address := rostertest.Address(t, x.kind)
			cfg := accountConfig(t, address, &notify.Memory{})
			if _, err := usersrepo.New[*Person](cfg); err != nil {
				t.Fatal(err)
			}
			socket, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = socket.Close() })
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			s := &siege{
				ctx: ctx, db: cfg.DB, url: "http://" + socket.Addr().String() + "/api", customers: x.customers,
				letters: map[roster.ID]*letter{}, good: map[string]int{}, unsure: map[string]int{},
			}
			mail := httptest.NewServer(http.HandlerFunc(s.take))
			t.Cleanup(mail.Close)
			start := func() *exec.Cmd { return startAccountServer(t, address, mail.URL, socket) }

			server := start()
			var group sync.WaitGroup
			for i := range x.customers {
				group.Go(func() { s.visit(fmt.Sprintf("user%d@example.com", i)) })
			}
			for i := range x.kills { // each at a random moment of its part of the work
				part := (5 + rotations) * x.customers / x.kills
				moment := i*part + rand.IntN(part)
				s.await(func() bool { return s.answers >= moment })
				if err := server.Process.Kill(); err != nil { // SIGKILL
					t.Fatal(err)
				}
				_ = server.Wait()
				s.look(t)
				server = start()
			}
			group.Wait()
			s.await(func() bool { return s.count("roster_messages WHERE state IN ('pending', 'sending')") == 0 }) // no lease is stuck
			s.look(t)
			s.finish(t, x.kills)
		})
	}
}

// startAccountServer starts this program once more, to serve people on a socket; it is killed at the end.
func startAccountServer(t *testing.T, database, mail string, socket net.Listener) *exec.Cmd {
	t.Helper()
	file, err := socket.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAccountServer$")
	command.Env = append(os.Environ(), accountDatabase+"="+database, accountMail+"="+mail)
	command.ExtraFiles = []*os.File{file}
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
	})
	return command
}

// visit is what each of the customers does: register, reset the password by a link, log in by a code. What gets no answer is
// asked again.
func (s *siege) visit(email string) {
	const first, second = "the first good passphrase", "the second good passphrase"
	s.insist("/register", fields{"email": email, "password": first}, 201, 409) // 409: it was done, and nobody heard
	session := s.expect("/login", fields{"login": email, "password": first}, 200)

	s.insist("/password/forgot", fields{"login": email}, 202, 0)
	reset := fields{"token": s.sent(email, "reset_password").Token, "password": second}
	s.insist("/password/reset", reset, 200, 400)
	s.expect("/password/reset", reset, 400)
	s.expect("/login", fields{"login": email, "password": first}, 401)
	s.expect("/token/refresh", fields{"refresh_token": session.RefreshToken}, 401)
	s.refresh(s.expect("/login", fields{"login": email, "password": second}, 200))

	for used, kills := false, 0; !used && kills < 10; kills++ { // again when a code was spent, and nobody heard what for
		s.insist("/codes/send", fields{"login": email, "purpose": "login"}, 202, 0)
		code := fields{"login": email, "purpose": "login", "code": s.sent(email, "code:login:email").Code}
		used = s.insist("/codes/check", code, 200, 400)
		s.expect("/codes/check", code, 400)
	}
}

// rotations is how often each of the customers refreshes.
const rotations = 5

// refresh goes on in a session. Whoever gets no answer sends the same token again: it was spent for them, or not at all.
func (s *siege) refresh(session tokensOf) {
	for range rotations {
		var answer []byte
		for status := 0; status == 0 && s.ctx.Err() == nil; {
			if status, answer = s.ask("/token/refresh", fields{"refresh_token": session.RefreshToken}); status != 0 && status != http.StatusOK {
				s.fail("SESS-36: refresh: %d %.300s", status, answer)
				return
			}
		}
		s.mu.Lock()
		s.answers++
		s.mu.Unlock()
		if err := json.Unmarshal(answer, &session); err != nil {
			s.fail("refresh: %v", err)
			return
		}
	}
}

// insist asks until there is an answer, and reports whether it was the good one. Only after a request without an answer may
// it be that of what was done before.
func (s *siege) insist(path string, body fields, good, before int) bool {
	for again := false; s.ctx.Err() == nil; again = true {
		status, _ := s.ask(path, body)
		s.mu.Lock()
		switch {
		case status == 0:
			s.unheard++
		case status == good:
			s.good[path]++
		case again && status == before:
			s.unsure[path]++
		default:
			s.failures = append(s.failures, fmt.Sprintf("%s: %d, again: %t", path, status, again))
		}
		if status != 0 {
			s.answers++
		}
		s.mu.Unlock()
		if status != 0 {
			return status == good
		}
	}
	return false
}

// tokensOf are those of a log-in.
type tokensOf struct {
	RefreshToken string `json:"refresh_token"`
}

// expect asks until there is an answer, which is to have a status.
func (s *siege) expect(path string, body fields, want int) tokensOf {
	for s.ctx.Err() == nil {
		status, text := s.ask(path, body)
		if status == 0 {
			continue
		}
		var answer struct{ Tokens tokensOf }
		if err := json.Unmarshal(text, &answer); err != nil || status != want {
			s.fail("%s: %d %.300s, want %d", path, status, text, want)
		}
		return answer.Tokens
	}
	return tokensOf{}
}

// ask sends a request, and once more when it is told to wait (OTP-39); the status is 0 where no answer came.
func (s *siege) ask(path string, body fields) (status int, answer []byte) {
	for {
		status, answer = s.askOnce(path, body)
		if status != http.StatusTooManyRequests || s.ctx.Err() != nil {
			return status, answer
		}
		time.Sleep(time.Second)
	}
}

func (s *siege) askOnce(path string, body fields) (status int, answer []byte) {
	text, err := json.Marshal(body)
	if err != nil {
		s.fail("%v", err)
		return 0, nil
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.fail("%v", err)
		return 0, nil
	}
	r.Close = true // a connection of its own: nothing is sent a second time by itself
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return 0, nil
	}
	return response.StatusCode, answer
}

// sent returns the mail with somebody's one live link or code of a purpose, when it has come.
func (s *siege) sent(email, purpose string) letter {
	var ids []roster.ID
	err := s.db.SelectContext(s.ctx, &ids, `
		SELECT m.id FROM users u JOIN roster_links l ON l.user_id = u.id JOIN roster_messages m ON m.link_hash = l.hash
		WHERE u.email = $1 AND l.purpose = $2 AND l.used_at IS NULL AND l.voided_at IS NULL`, email, purpose)
	if err != nil || len(ids) != 1 {
		s.fail("%s has %d mails with a live %s: %v", email, len(ids), purpose, err)
		return letter{}
	}
	var found letter
	s.await(func() bool {
		if l := s.letters[ids[0]]; l != nil {
			found = *l
		}
		return found.timesBrought > 0
	})
	return found
}

// take is what brings the mails.
func (s *siege) take(w http.ResponseWriter, r *http.Request) {
	var l letter
	if err := json.NewDecoder(r.Body).Decode(&l); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.letters[l.ID]; before != nil {
		l.timesBrought = before.timesBrought
	}
	l.timesBrought++
	s.letters[l.ID] = &l // from here on it is delivered, whether or not the server hears of it
}

// look checks what holds at every moment, also while no server runs. Each check is one statement.
func (s *siege) look(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	const done = "roster_links WHERE used_at IS NOT NULL AND purpose = "
	for path, made := range map[string]string{
		"/register": "users", "/password/reset": done + "'reset_password'", "/codes/check": done + "'code:login:email'",
	} {
		if n := s.count(made); n < s.good[path] || n > s.good[path]+s.customers {
			t.Errorf("STORE-55: %d × %s, of which %d were answered", n, path, s.good[path])
		}
	}
	for what, from := range map[string]string{
		"ACCT-5 users without a password":   `users u WHERE NOT EXISTS (SELECT 1 FROM roster_passwords WHERE user_id = u.id)`,
		"ACCT-8 users without their mail":   `users u WHERE NOT EXISTS (SELECT 1 FROM roster_messages WHERE user_id = u.id AND kind = 'email_confirm')`,
		"ACCT-5 messages without a user":    `roster_messages m WHERE m.user_id NOT IN (SELECT id FROM users)`,
		"ACCT-5 links without a user":       `roster_links l WHERE l.user_id NOT IN (SELECT id FROM users)`,
		"MAIL-15 live links without a mail": `roster_links l WHERE l.used_at IS NULL AND l.voided_at IS NULL AND NOT EXISTS (SELECT 1 FROM roster_messages m WHERE m.link_hash = l.hash AND m.state IN ('pending', 'sending', 'sent'))`,
		"PASS-41 resets that left a session": `roster_links l JOIN roster_sessions s ON s.user_id = l.user_id
			WHERE l.purpose = 'reset_password' AND s.created_at < l.used_at AND s.ended_at IS NULL`,
		"PASS-41 resets by halves": `users u WHERE
			(SELECT count(*) FROM roster_links WHERE user_id = u.id AND purpose = 'reset_password' AND used_at IS NOT NULL) <>
			(SELECT count(*) FROM roster_audit WHERE subject_id = u.id AND action = 'password.change')`,
		"OTP-16 codes that were good twice": `users u WHERE
			(SELECT count(*) FROM roster_links WHERE user_id = u.id AND purpose = 'code:login:email' AND used_at IS NOT NULL) <
			(SELECT count(*) FROM roster_sessions WHERE user_id = u.id AND amr LIKE '%otp%')`,
	} {
		if n := s.count(from); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
}

// finish checks what holds when all is done.
func (s *siege) finish(t *testing.T, kills int) {
	t.Helper()
	if err := s.ctx.Err(); err != nil {
		t.Errorf("the customers were not done in time: %v", err)
	}
	for i, failure := range s.failures {
		if i == 10 {
			break
		}
		t.Error(failure)
	}
	t.Logf("%d requests got no answer; refused, for they were done: %v", s.unheard, s.unsure)
	if s.unheard == 0 {
		t.Error("no request was without an answer: the kills showed nothing")
	}
	for path, made := range map[string]string{
		"/register": "users", "/password/reset": "roster_links WHERE purpose = 'reset_password' AND used_at IS NOT NULL",
		"/codes/check": "roster_links WHERE purpose = 'code:login:email' AND used_at IS NOT NULL",
	} {
		same(t, s.good[path]+s.unsure[path], s.count(made))
	}
	same(t, s.customers, s.count("users"))
	// SESS-29, SESS-36: each answer that was lost was given again, and nothing was rotated for it.
	same(t, s.customers, s.count(fmt.Sprintf("roster_sessions WHERE generation = %d AND ended_at IS NULL", 1+rotations)))
	same(t, 0, s.count(fmt.Sprintf("roster_sessions WHERE generation NOT IN (1, %d)", 1+rotations)))
	var sent []roster.ID
	if err := s.db.SelectContext(s.ctx, &sent, "SELECT id FROM roster_messages WHERE state = 'sent'"); err != nil {
		t.Fatal(err)
	}
	again := 0
	for _, id := range sent {
		l := s.letters[id]
		if l == nil {
			t.Errorf("%s was sent, and did not come", id)
			continue
		}
		again += l.timesBrought - 1
	}
	if again > 4*kills { // Notify.Parallel
		t.Errorf("%d mails came again after %d kills", again, kills)
	}
}

// count counts rows, -1 when that fails.
func (s *siege) count(from string) int {
	n := -1
	if err := s.db.GetContext(s.ctx, &n, "SELECT count(*) FROM "+from); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.failures = append(s.failures, fmt.Sprintf("count %s: %v", strings.Join(strings.Fields(from), " "), err))
	}
	return n
}

// await waits until something holds that the mutex guards, for as long as the test has.
func (s *siege) await(holds func() bool) {
	for s.ctx.Err() == nil {
		s.mu.Lock()
		ok := holds()
		s.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *siege) fail(format string, args ...any) {
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}
