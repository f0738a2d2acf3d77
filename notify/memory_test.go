package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/roster-go/roster/notify"
)

// MAIL-33.
func TestMemory(t *testing.T) {
	send := func(t *testing.T, box *notify.Memory, to, subject string) error {
		t.Helper()
		return box.Send(t.Context(), notify.Message{
			To: to, Subject: subject, Link: "https://acme.test/#token=ec_x", Token: "ec_x", Code: "123456",
		})
	}
	t.Run("keeps messages, the newest first", func(t *testing.T) {
		var box notify.Memory
		for _, s := range []string{"1", "2", "3"} {
			if err := send(t, &box, "bob@example.com", s); err != nil {
				t.Fatal(err)
			}
		}
		if err := send(t, &box, "eve@example.com", "4"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range box.All() {
			got = append(got, m.Subject)
		}
		if strings.Join(got, "") != "4321" {
			t.Errorf("got %v", got)
		}
		m, ok := box.Last("Bob@Example.com")
		if !ok || m.Subject != "3" || m.Link.Reveal() != "https://acme.test/#token=ec_x" || m.Token.Reveal() != "ec_x" ||
			m.Code.Reveal() != "123456" {
			t.Errorf("got %v, %t", m, ok)
		}
		if _, ok := box.Last("carol@example.com"); ok {
			t.Error("found a message to nobody")
		}
	})
	t.Run("fails on demand", func(t *testing.T) {
		var box notify.Memory
		down := errors.New("down")
		box.Fail(2, down)
		for i, want := range []error{down, down, nil} {
			if err := send(t, &box, "a", "x"); !errors.Is(err, want) {
				t.Errorf("%d: got %v, want %v", i, err, want)
			}
		}
		box.Fail(9, down)
		box.Fail(0, nil)
		if err := send(t, &box, "a", "x"); err != nil || len(box.All()) != 2 {
			t.Errorf("got %v, %d messages", err, len(box.All()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := box.Send(ctx, sample()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("is bounded and serves many", func(t *testing.T) {
		var box notify.Memory
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 200 {
					_ = send(t, &box, fmt.Sprint(i), fmt.Sprint(j))
					box.Last("3")
				}
			})
		}
		all.Wait()
		if n := len(box.All()); n != 1000 {
			t.Errorf("got %d", n)
		}
		if m := box.All()[0]; m.Subject != "199" {
			t.Errorf("got %s", m.Subject)
		}
	})
}

// MAIL-33.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	m := sample()
	m.Text = "Open https://acme.test/confirm#token=ec_x"
	if err := notify.NewLog(slog.New(slog.NewTextHandler(&out, nil))).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Open https://acme.test/confirm#token=ec_x", "bob@example.com", "Grüße", m.ID.String()} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %s", want, out.String())
		}
	}
}
