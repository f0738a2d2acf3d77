package notify_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/store"
)

var _ notify.Outbox = (*store.Store)(nil)

// outbox is an outbox in memory, with the rules of the store's.
type outbox struct {
	mu     sync.Mutex
	rows   map[roster.ID]*row
	claims int
	fail   error
}

type row struct {
	store.Message
	State   store.MessageState
	Next    time.Time
	Lease   time.Time
	Owner   roster.ID
	Failure string
}

// add puts in a message; n makes its id, its recipient and its code.
func (o *outbox) add(n int, change ...func(*store.Message)) roster.ID {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := store.Message{
		ID: roster.ID{15: byte(n), 14: byte(n >> 8)}, Kind: notify.EmailConfirm, Channel: string(notify.Email),
		To: fmt.Sprintf("user%d@example.com", n), Language: "en", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(24 * time.Hour),
	}
	for _, f := range change {
		f(&m)
	}
	if o.rows == nil {
		o.rows = map[roster.ID]*row{}
	}
	o.rows[m.ID] = &row{Message: m, State: store.MessagePending, Next: m.CreatedAt}
	return m.ID
}

func (o *outbox) ClaimMessages(ctx context.Context, worker roster.ID, most int, now, lease time.Time) ([]store.Message, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := errors.Join(o.fail, ctx.Err()); err != nil {
		return nil, err
	}
	due := slices.DeleteFunc(slices.Collect(maps.Values(o.rows)), func(r *row) bool {
		return !(r.State == store.MessagePending && !r.Next.After(now) || r.State == store.MessageSending && !r.Lease.After(now))
	})
	slices.SortFunc(due, func(a, b *row) int { return slices.Compare(a.ID[:], b.ID[:]) })
	due = due[:min(most, len(due))]
	o.claims++
	var list []store.Message
	for _, r := range due {
		r.State, r.Owner, r.Lease = store.MessageSending, worker, lease
		r.Attempts++
		list = append(list, r.Message)
	}
	slices.Reverse(list) // a database returns rows in any order
	return list, nil
}

func (o *outbox) change(ctx context.Context, id, worker roster.ID, f func(*row)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := errors.Join(o.fail, ctx.Err()); err != nil {
		return err
	}
	if r := o.rows[id]; r.State == store.MessageSending && r.Owner == worker {
		f(r)
	}
	return nil
}

func (o *outbox) FinishMessage(ctx context.Context, id, worker roster.ID, state store.MessageState, _ time.Time, failure string) error {
	return o.change(ctx, id, worker, func(r *row) { r.State, r.Failure = state, failure })
}

func (o *outbox) RetryMessage(ctx context.Context, id, worker roster.ID, next time.Time, failure string) error {
	return o.change(ctx, id, worker, func(r *row) { r.State, r.Next, r.Failure = store.MessagePending, next, failure })
}

func (o *outbox) ReturnMessage(ctx context.Context, id, worker roster.ID, now time.Time) error {
	return o.change(ctx, id, worker, func(r *row) { r.State, r.Next, r.Attempts = store.MessagePending, now, r.Attempts-1 })
}

func (o *outbox) get(id roster.ID) row {
	o.mu.Lock()
	defer o.mu.Unlock()
	return *o.rows[id]
}

// states counts the rows by state.
func (o *outbox) states() map[store.MessageState]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	counts := map[store.MessageState]int{}
	for _, r := range o.rows {
		counts[r.State]++
	}
	return counts
}

// looks returns how often somebody claimed.
func (o *outbox) looks() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.claims
}

func (o *outbox) setFail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

// senderFunc is a sender.
type senderFunc func(ctx context.Context, m notify.Message) error

func (f senderFunc) Send(ctx context.Context, m notify.Message) error { return f(ctx, m) }

// prepare renders a message as its owner would.
func prepare(_ context.Context, m store.Message) (notify.Message, notify.Outcome, error) {
	return notify.Message{
		Subject: "Hello", Text: "text", Link: roster.Secret("https://acme.test/#token=ec_" + m.To), Code: "123456",
		To: "eve@evil.example", Kind: "other", Channel: notify.SMS, // without effect
	}, notify.Send, nil
}

func worker(t *testing.T, o notify.Outbox, sender notify.Sender, change ...func(*notify.WorkerConfig, *notify.Prepare)) *notify.Worker {
	t.Helper()
	cfg := notify.WorkerConfig{Senders: map[notify.Channel]notify.Sender{notify.Email: sender}, Now: time.Now}
	p := notify.Prepare(prepare)
	for _, f := range change {
		f(&cfg, &p)
	}
	w, err := notify.NewWorker(o, p, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func deliver(t *testing.T, w *notify.Worker) notify.Delivered {
	t.Helper()
	d, err := w.Deliver(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
