package integration_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// The environment of TestMessageWorker: where the outbox is, and where the mail server.
const (
	workerDatabase = "ROSTER_TEST_WORKER_DATABASE"
	workerMail     = "ROSTER_TEST_WORKER_MAIL"
)

// workerConfig is what two processes share. Its leases are short, so that what one leaves behind is soon the other's.
func workerConfig(t *testing.T, address string, sender notify.Sender) usersrepo.Config {
	t.Helper()
	db, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	cfg := usersrepo.Config{DB: db, AutoMigrate: true, Development: true, Logger: rostertest.Logger(t)}
	cfg.Notify.Mail, cfg.Notify.SendTimeout, cfg.Notify.Lease, cfg.Notify.Poll = sender, time.Second, 2*time.Second, 50*time.Millisecond
	return cfg
}

// TestMessageWorker is the process that TestMessagesSurviveKill kills; by itself it does nothing.
func TestMessageWorker(t *testing.T) {
	address := os.Getenv(workerDatabase)
	if address == "" {
		return
	}
	host, port, err := net.SplitHostPort(os.Getenv(workerMail))
	if err != nil {
		t.Fatal(err)
	}
	settings := notify.SMTPConfig{Host: host, TLS: notify.NoTLS, From: "mail@example.com"}
	if _, err := fmt.Sscan(port, &settings.Port); err != nil {
		t.Fatal(err)
	}
	sender, err := notify.NewSMTP(settings)
	if err != nil {
		t.Fatal(err)
	}
	repo, err := usersrepo.New[*Person](workerConfig(t, address, sender))
	if err != nil {
		t.Fatal(err)
	}
	_ = repo.Run(t.Context())
}

// mailServer is a mail server that takes its time, and counts what it took by Message-ID.
type mailServer struct {
	net.Listener

	mu   sync.Mutex
	took map[string]int
}

func (s *mailServer) total() (messages, ids int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.took {
		messages += n
	}
	return messages, len(s.took)
}

var messageID = regexp.MustCompile(`(?m)^Message-ID: <(.+)>\r$`)

// serve speaks as much SMTP (RFC 5321) as the worker needs.
func (s *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 slow.example")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " "); verb {
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
				text.WriteString(line)
			}
			id := messageID.FindStringSubmatch(text.String())
			if id == nil {
				say("554 no Message-ID")
				continue
			}
			s.mu.Lock()
			s.took[id[1]]++ // from here on it is delivered, whether or not the worker hears of it
			s.mu.Unlock()
			time.Sleep(60 * time.Millisecond)
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 slow.example")
		}
	}
}

// MAIL-14, MAIL-15, STORE-55: a worker that is killed in the middle loses no message. What it was sending comes a second
// time at most, under the same Message-ID.
func TestMessagesSurviveKill(t *testing.T) {
	t.Parallel()
	for _, kind := range []rostertest.Kind{rostertest.SQLite, rostertest.PostgreSQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			const messages, parallel = 40, 4
			address := rostertest.Address(t, kind)
			repo, err := usersrepo.New[*Person](workerConfig(t, address, &notify.Memory{}))
			if err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				if _, err := repo.Create(t.Context(), person("", fmt.Sprintf("user%d@example.com", i), ""), roster.WithConfirmation()); err != nil {
					t.Fatal(err)
				}
			}
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			server := &mailServer{Listener: listener, took: map[string]int{}}
			go func() {
				for {
					conn, err := server.Accept()
					if err != nil {
						return
					}
					go server.serve(conn)
				}
			}()

			first := startWorker(t, address, listener.Addr().String())
			await(t, func() bool { n, _ := server.total(); return n >= messages/4 })
			if err := first.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
			_ = first.Wait()
			if n, _ := server.total(); n >= messages {
				t.Fatalf("%d messages were sent before the kill: it came too late to show anything", n)
			}
			startWorker(t, address, listener.Addr().String())
			left := func(state string) int {
				page, err := repo.ListMessages(t.Context(), roster.MessageQuery{State: state, Limit: 200})
				if err != nil {
					t.Fatal(err)
				}
				return len(page.Items)
			}
			await(t, func() bool { return left("sent") == messages })
			total, ids := server.total()
			if ids != messages || total > messages+parallel {
				t.Errorf("%d different messages came, and %d in all; want %d, and at most %d again", ids, total, messages, parallel)
			}
			server.mu.Lock()
			defer server.mu.Unlock()
			for id, n := range server.took {
				if n > 2 {
					t.Errorf("%s came %d times", id, n)
				}
			}
		})
	}
}

// startWorker starts this program once more, to work off the outbox and nothing else; it is killed at the end.
func startWorker(t *testing.T, database, mail string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestMessageWorker$")
	command.Env = append(os.Environ(), workerDatabase+"="+database, workerMail+"="+mail)
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

// await waits until something holds, for a minute at most.
func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to hold in a minute")
		}
	}
}
