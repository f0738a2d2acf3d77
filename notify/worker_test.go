package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

// MAIL-7, MAIL-12, MAIL-13, MAIL-15.
func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		for n := range 25 {
			o.add(n)
		}
		w := worker(t, &o, &box)
		if got := deliver(t, w); got != (notify.Delivered{Sent: 20}) {
			t.Errorf("got %+v", got)
		}
		if got, err := w.Deliver(t.Context(), 3); got != (notify.Delivered{Sent: 3}) || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if got := deliver(t, w); got != (notify.Delivered{Sent: 2}) {
			t.Errorf("got %+v", got)
		}
		if got := deliver(t, w); got != (notify.Delivered{}) || len(box.All()) != 25 {
			t.Errorf("got %+v, %d messages", got, len(box.All()))
		}
		m, ok := box.Last("user7@example.com")
		if !ok || m.ID != o.get(m.ID).ID || m.Kind != notify.EmailConfirm || m.Channel != notify.Email || m.CreatedAt.IsZero() {
			t.Errorf("got %+v, %t", m, ok)
		}
	})
}

// MAIL-19: what a batch holds goes out by priority, then age.
func TestDeliverOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		o.add(1, func(m *store.Message) { m.Priority = 1 })
		o.add(2, func(m *store.Message) { m.Priority = 0 })
		o.add(3, func(m *store.Message) { m.CreatedAt = m.CreatedAt.Add(-time.Minute) })
		deliver(t, worker(t, &o, &box, func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Parallel = 1 }))
		var got []string
		for _, m := range box.All() {
			got = append(got, m.To[4:5])
		}
		if strings.Join(got, "") != "123" { // newest first
			t.Errorf("got %v", got)
		}
	})
}

// MAIL-4, MAIL-17, MAIL-18, MAIL-20, MAIL-21 and the table of failures.
func TestDeliverOutcomes(t *testing.T) {
	refused := errors.New("refused")
	expired := func(m *store.Message) { m.ExpiresAt = m.CreatedAt }
	for _, tt := range []struct {
		name    string
		message func(*store.Message)
		outcome notify.Outcome
		prepare error
		send    error
		want    notify.Delivered
		state   store.MessageState
		failure string
	}{
		{name: "sends", want: notify.Delivered{Sent: 1}, state: store.MessageSent},
		{name: "cancels", outcome: notify.Cancel, send: refused, want: notify.Delivered{Cancelled: 1}, state: store.MessageCancelled},
		{name: "lets expire", outcome: notify.Expire, send: refused, want: notify.Delivered{Expired: 1}, state: store.MessageExpired},
		{name: "sees the end by itself", message: expired, send: refused, want: notify.Delivered{Expired: 1}, state: store.MessageExpired},
		{
			name: "repeats temporary failures", send: refused, want: notify.Delivered{Retried: 1},
			state: store.MessagePending, failure: "refused",
		},
		{
			name: "repeats misconfigurations", send: notify.Misconfigured(refused), want: notify.Delivered{Retried: 1},
			state: store.MessagePending, failure: "refused",
		},
		{
			name: "gives up permanent failures", send: notify.Permanent(refused), want: notify.Delivered{Dead: 1},
			state: store.MessageDead, failure: "refused",
		},
		{
			name: "repeats failures to prepare", prepare: refused, want: notify.Delivered{Retried: 1},
			state: store.MessagePending, failure: "prepare: refused",
		},
		{
			name: "gives up templates that fail", prepare: notify.Permanent(refused), want: notify.Delivered{Dead: 1},
			state: store.MessageDead, failure: "prepare: refused",
		},
		{
			name: "gives up addresses that are none", message: func(m *store.Message) { m.To = "a@b.c\r\nBcc: d@e.f" },
			want: notify.Delivered{Dead: 1}, state: store.MessageDead, failure: "the recipient is not one line of text",
		},
		{
			name: "keeps what nobody can send", message: func(m *store.Message) { m.Channel = "sms" },
			want: notify.Delivered{Retried: 1}, state: store.MessagePending, failure: "there is no sender of sms",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o outbox
			id := o.add(1, func(m *store.Message) {
				if tt.message != nil {
					tt.message(m)
				}
			})
			w := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { return tt.send }),
				func(_ *notify.WorkerConfig, p *notify.Prepare) {
					*p = func(context.Context, store.Message) (notify.Message, notify.Outcome, error) {
						return notify.Message{}, tt.outcome, tt.prepare
					}
				})
			if got := deliver(t, w); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got := o.get(id); got.State != tt.state || got.Failure != tt.failure {
				t.Errorf("got %s, %q, want %s, %q", got.State, got.Failure, tt.state, tt.failure)
			}
			if got := w.ConfigErrors(); (got == 1) != (notify.Classify(tt.send).Misconfigured || strings.HasPrefix(tt.failure, "there is no sender")) {
				t.Errorf("mail_config_errors: got %d", got)
			}
		})
	}
}

// MAIL-17; case 4.
func TestDeliverSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		id := o.add(1)
		w := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { return errors.New("down") }))
		for i, want := range []time.Duration{
			10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
			30 * time.Minute, time.Hour, time.Hour,
		} {
			if got := deliver(t, w); got != (notify.Delivered{Retried: 1}) {
				t.Fatalf("%d: got %+v", i, got)
			}
			pause := time.Until(o.get(id).Next)
			if pause < want*8/10 || pause > want*12/10 {
				t.Errorf("%d: got %s, want about %s", i, pause, want)
			}
			time.Sleep(pause - time.Nanosecond)
			if got := deliver(t, w); got != (notify.Delivered{}) {
				t.Errorf("%d: too early: got %+v", i, got)
			}
			time.Sleep(time.Nanosecond)
		}
		if got := deliver(t, w); got != (notify.Delivered{Dead: 1}) || o.get(id).Attempts != 10 {
			t.Errorf("got %+v after %d attempts", got, o.get(id).Attempts)
		}
	})
}

// MAIL-17: waits differ, what the other side asks for is obeyed up to an hour, and no try is set beyond the end.
func TestDeliverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := func(err error, life time.Duration) time.Duration {
			var o outbox
			id := o.add(1, func(m *store.Message) { m.ExpiresAt = m.CreatedAt.Add(life) })
			deliver(t, worker(t, &o, senderFunc(func(context.Context, notify.Message) error { return err })))
			return time.Until(o.get(id).Next)
		}
		down := errors.New("down")
		different := map[time.Duration]bool{}
		for range 20 {
			different[next(down, time.Hour)] = true
		}
		if len(different) < 10 {
			t.Errorf("the waits are %v", different)
		}
		for _, tt := range []struct{ asked, life, want time.Duration }{
			{2 * time.Minute, 24 * time.Hour, 2 * time.Minute},
			{3 * time.Hour, 24 * time.Hour, time.Hour},
			{time.Hour, 5 * time.Minute, 5 * time.Minute},
		} {
			if got := next(notify.After(down, tt.asked), tt.life); got != tt.want {
				t.Errorf("%s asked, %s to live: got %s, want %s", tt.asked, tt.life, got, tt.want)
			}
		}
		if got := next(notify.After(down, time.Second), time.Hour); got < 8*time.Second {
			t.Errorf("a second asked: got %s", got)
		}
	})
}

// Case 22: a link whose end comes while its message waits is not sent any more.
func TestDeliverExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		box.Fail(1, errors.New("down"))
		id := o.add(1, func(m *store.Message) { m.ExpiresAt = m.CreatedAt.Add(5 * time.Second) })
		w := worker(t, &o, &box)
		deliver(t, w)
		time.Sleep(5 * time.Second)
		if got := deliver(t, w); got != (notify.Delivered{Expired: 1}) || o.get(id).State != store.MessageExpired {
			t.Errorf("got %+v", got)
		}
	})
}

// MAIL-23; case 16.
func TestDeliverPanics(t *testing.T) {
	for name, where := range map[string]func(*notify.WorkerConfig, *notify.Prepare){
		"in a sender": func(cfg *notify.WorkerConfig, _ *notify.Prepare) {
			cfg.Senders[notify.Email] = senderFunc(func(_ context.Context, m notify.Message) error {
				if m.To == "user1@example.com" {
					panic("no mail for user1@example.com, " + m.Link.Reveal())
				}
				return nil
			})
		},
		"in prepare": func(_ *notify.WorkerConfig, p *notify.Prepare) {
			*p = func(ctx context.Context, m store.Message) (notify.Message, notify.Outcome, error) {
				if m.To == "user1@example.com" {
					panic("no mail for user1@example.com")
				}
				return prepare(ctx, m)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var o outbox
			var log bytes.Buffer
			id := o.add(1)
			o.add(2)
			w := worker(t, &o, &notify.Memory{}, where, func(cfg *notify.WorkerConfig, _ *notify.Prepare) {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			if got := deliver(t, w); got != (notify.Delivered{Sent: 1, Dead: 1}) {
				t.Errorf("got %+v", got)
			}
			if got := o.get(id); got.State != store.MessageDead || !strings.HasPrefix(got.Failure, "panic: no mail for [address]") {
				t.Errorf("got %s, %q", got.State, got.Failure)
			}
			if !strings.Contains(log.String(), "stack=") || strings.Contains(log.String(), "user1") {
				t.Error(log.String())
			}
		})
	}
	t.Run("survives runtime.Goexit", func(t *testing.T) {
		var o outbox
		o.add(1)
		w := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { runtime.Goexit(); return nil }))
		if got := deliver(t, w); got != (notify.Delivered{Retried: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

// MAIL-27.
func TestLastError(t *testing.T) {
	for _, tt := range []struct{ name, failure, want string }{
		{"keeps plain text", "550 mailbox unavailable", "550 mailbox unavailable"},
		{"masks the address", "550 <user1@example.com>: unknown; USER1@Example.COM too", "550 <[address]>: unknown; [address] too"},
		{"masks the address in a URL's letters", "POST to=user1%40example.com", "POST [address]"},
		{"masks the number", "no route to 491511234567 (+491511234567)", "no route to [address] ([address])"},
		{"masks the link", "spam: https://acme.test/#token=ec_secret!", "spam: [link]!"},
		{"masks other links", "see http://other.example/x", "see [link]"},
		{"masks token and code", "bad text: ec_secret, 123456.", "bad text: [token], [code]."},
		{"is one line", "a\r\nb\x1b[31m\tc", "a b [31m c"},
		{"is at most 500 characters", strings.Repeat("ä ", 400), strings.Repeat("ä ", 249) + "ä…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var o outbox
			var log bytes.Buffer
			to := "user1@example.com"
			if strings.Contains(tt.failure, "49151") {
				to = "+491511234567"
			}
			id := o.add(1, func(m *store.Message) { m.To, m.Channel = to, "sms" })
			w := worker(t, &o, nil, func(cfg *notify.WorkerConfig, p *notify.Prepare) {
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				cfg.Senders[notify.SMS] = senderFunc(func(context.Context, notify.Message) error { return errors.New(tt.failure) })
				*p = func(context.Context, store.Message) (notify.Message, notify.Outcome, error) {
					return notify.Message{Link: "https://acme.test/#token=ec_secret", Token: "ec_secret", Code: "123456"}, notify.Send, nil
				}
			})
			deliver(t, w)
			got := o.get(id).Failure
			if got != tt.want || utf8.RuneCountInString(got) > 500 {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if strings.Contains(log.String(), to) || strings.Contains(log.String(), "ec_secret") {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

// MAIL-34, MAIL-19.
func TestDeliverTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		stuck, obedient := o.add(1), o.add(2)
		release := make(chan struct{})
		w := worker(t, &o, senderFunc(func(ctx context.Context, m notify.Message) error {
			if m.ID == stuck {
				<-release
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("gave up: %w", ctx.Err())
		}))
		start := time.Now()
		if got := deliver(t, w); got != (notify.Delivered{Retried: 2}) {
			t.Errorf("got %+v", got)
		}
		if took := time.Since(start); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("took %s", took)
		}
		want := [2]string{"not done within the time limit: context deadline exceeded", "gave up: context deadline exceeded"}
		if diff := cmp.Diff(want, [2]string{o.get(stuck).Failure, o.get(obedient).Failure}); diff != "" {
			t.Error(diff)
		}
		close(release) // what comes too late changes nothing
		synctest.Wait()
		if got := o.get(stuck).State; got != store.MessagePending {
			t.Errorf("got %s", got)
		}
	})
}

// MAIL-34: nothing is sent after the limit, when it was preparing that took so long.
func TestDeliverLatePrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		var box notify.Memory
		o.add(1)
		w := worker(t, &o, &box, func(_ *notify.WorkerConfig, p *notify.Prepare) {
			*p = func(ctx context.Context, m store.Message) (notify.Message, notify.Outcome, error) {
				time.Sleep(30 * time.Second)
				return prepare(ctx, m)
			}
		})
		if got := deliver(t, w); got != (notify.Delivered{Retried: 1}) {
			t.Errorf("got %+v", got)
		}
		time.Sleep(time.Minute)
		if n := len(box.All()); n != 0 {
			t.Errorf("%d went out", n)
		}
	})
}

// MAIL-14, MAIL-15, MAIL-16: what outlives its lease belongs to the next worker.
func TestDeliverLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		id := o.add(1)
		dead := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { select {} }))
		_, err := o.ClaimMessages(t.Context(), [16]byte{1}, 1, time.Now(), time.Now().Add(5*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if got := deliver(t, dead); got != (notify.Delivered{}) {
			t.Errorf("got %+v of what another has", got)
		}
		time.Sleep(5 * time.Minute)
		var box notify.Memory
		if got := deliver(t, worker(t, &o, &box)); got != (notify.Delivered{Sent: 1}) {
			t.Errorf("got %+v", got)
		}
		if err := o.RetryMessage(t.Context(), id, [16]byte{1}, time.Now(), "late"); err != nil || o.get(id).State != store.MessageSent {
			t.Errorf("the first worker changed the result: %v, %s", err, o.get(id).State)
		}
	})
	t.Run("puts back what it cannot send within the lease", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var o outbox
			for n := range 6 {
				o.add(n)
			}
			w := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { time.Sleep(15 * time.Second); return nil }),
				func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Parallel, cfg.Lease = 1, time.Minute })
			if got := deliver(t, w); got != (notify.Delivered{Sent: 3}) {
				t.Errorf("got %+v", got)
			}
			if got := o.states(); got[store.MessagePending] != 3 {
				t.Errorf("got %v", got)
			}
		})
	})
	t.Run("gives up what no worker survives", func(t *testing.T) {
		var o outbox
		o.add(1, func(m *store.Message) { m.Attempts = 10 })
		if got := deliver(t, worker(t, &o, &notify.Memory{})); got != (notify.Delivered{Dead: 1}) {
			t.Errorf("got %+v", got)
		}
	})
}

// MAIL-14; case 6.
func TestDeliverByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outbox
		for n := range 1000 {
			o.add(n)
		}
		var mu sync.Mutex
		sent := map[string]int{}
		sender := senderFunc(func(_ context.Context, m notify.Message) error {
			time.Sleep(time.Duration(m.ID[15]) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			sent[m.To]++
			return nil
		})
		var all sync.WaitGroup
		for range 8 {
			w := worker(t, &o, sender)
			all.Go(func() {
				for {
					if d, err := w.Deliver(t.Context(), 0); d.Sent == 0 || err != nil {
						return
					}
				}
			})
		}
		all.Wait()
		for to, n := range sent {
			if n != 1 {
				t.Errorf("%s got %d", to, n)
			}
		}
		if len(sent) != 1000 {
			t.Errorf("%d were sent", len(sent))
		}
	})
}

func TestDeliverOutboxFails(t *testing.T) {
	var o outbox
	o.add(1)
	down := errors.New("down")
	w := worker(t, &o, senderFunc(func(context.Context, notify.Message) error { o.setFail(down); return nil }))
	if got, err := w.Deliver(t.Context(), 0); !errors.Is(err, down) || got != (notify.Delivered{}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := w.Deliver(t.Context(), 0); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
}

func TestNewWorker(t *testing.T) {
	for name, change := range map[string]func(*notify.WorkerConfig, *notify.Prepare){
		"no clock":         func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Now = nil },
		"no prepare":       func(_ *notify.WorkerConfig, p *notify.Prepare) { *p = nil },
		"a short lease":    func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Lease = 20 * time.Second },
		"a negative batch": func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Batch = -1 },
		"a negative poll":  func(cfg *notify.WorkerConfig, _ *notify.Prepare) { cfg.Poll = -1 },
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			cfg, p := notify.WorkerConfig{Now: time.Now}, notify.Prepare(prepare)
			change(&cfg, &p)
			if _, err := notify.NewWorker(&outbox{}, p, cfg); err == nil {
				t.Error("is taken")
			}
		})
	}
}
