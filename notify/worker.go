package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// Outbox keeps the messages that wait; *store.Store is one. It hands a message to one worker at a time, until the
// lease ends, and takes results from nobody else.
type Outbox interface {
	ClaimMessages(ctx context.Context, worker roster.ID, most int, now, lease time.Time) ([]store.Message, error)
	FinishMessage(ctx context.Context, id, worker roster.ID, state store.MessageState, now time.Time, failure string) error
	RetryMessage(ctx context.Context, id, worker roster.ID, next time.Time, failure string) error
	// ReturnMessage puts a message back that was not tried: the claim does not count as an attempt.
	ReturnMessage(ctx context.Context, id, worker roster.ID, now time.Time) error
}

// Outcome is what to do with a message when it is due.
type Outcome int

// The outcomes.
const (
	Send   Outcome = iota
	Cancel         // it became pointless
	Expire         // its link or code did
)

// Prepare looks at a message again at the time of sending: it opens the payload and renders the texts, or says that
// it is not to be sent after all. Its errors are classified as those of a [Sender]. What it says of the id, kind,
// channel and recipient has no effect.
type Prepare func(ctx context.Context, m store.Message) (Message, Outcome, error)

// WorkerConfig is how a worker works. Now and Senders are needed; 0 means the default.
type WorkerConfig struct {
	Senders map[Channel]Sender
	Now     func() time.Time
	// Logger is silent if nil.
	Logger *slog.Logger
	// Batch is how many messages are claimed together; 0 means 20.
	Batch int
	// Parallel is how many are sent at a time; 0 means 4.
	Parallel int
	// Lease is how long claimed messages belong to the worker, more than SendTimeout; 0 means 5 min.
	Lease time.Duration
	// SendTimeout bounds one try; 0 means 20 s.
	SendTimeout time.Duration
	// MaxAttempts is how often a message is tried; 0 means 10.
	MaxAttempts int
	// Poll is how often Run looks for messages of other nodes, up to 10 s apart while there are none; 0 means 2 s.
	Poll time.Duration
	// Drain is how long Run lets tries go on when it is to end; 0 means 10 s.
	Drain time.Duration
}

// Worker works off an outbox.
type Worker struct {
	outbox       Outbox
	prepare      Prepare
	cfg          WorkerConfig
	wake         chan struct{}
	lanes        chan struct{} // holds one for each try that is running
	configErrors atomic.Int64
	metrics      metrics
}

// NewWorker checks cfg, all at once. It starts nothing.
func NewWorker(outbox Outbox, prepare Prepare, cfg WorkerConfig) (*Worker, error) {
	cfg.Batch = cmp.Or(cfg.Batch, 20)
	cfg.Parallel = cmp.Or(cfg.Parallel, 4)
	cfg.MaxAttempts = cmp.Or(cfg.MaxAttempts, 10)
	cfg.Lease = cmp.Or(cfg.Lease, 5*time.Minute)
	cfg.SendTimeout = cmp.Or(cfg.SendTimeout, 20*time.Second)
	cfg.Poll = cmp.Or(cfg.Poll, 2*time.Second)
	cfg.Drain = cmp.Or(cfg.Drain, 10*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Senders = maps.Clone(cfg.Senders)
	var faults []error
	if outbox == nil || prepare == nil || cfg.Now == nil {
		faults = append(faults, errors.New("the outbox, prepare or the clock is missing"))
	}
	if min(cfg.Batch, cfg.Parallel, cfg.MaxAttempts) < 1 || min(cfg.Lease, cfg.SendTimeout, cfg.Poll, cfg.Drain) < 1 {
		faults = append(faults, errors.New("a number or duration is negative"))
	}
	if cfg.Lease <= cfg.SendTimeout {
		faults = append(faults, fmt.Errorf("lease %s: want more than the send timeout, %s", cfg.Lease, cfg.SendTimeout))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("notify: worker: %w", errors.Join(faults...))
	}
	return &Worker{
		outbox: outbox, prepare: prepare, cfg: cfg,
		wake: make(chan struct{}, 1), lanes: make(chan struct{}, cfg.Parallel),
	}, nil
}

// Delivered counts what became of messages.
type Delivered struct{ Sent, Retried, Dead, Cancelled, Expired int }

// Deliver claims up to most messages that are due, tries each once and returns when all are done: a batch for cron,
// serverless and tests. 0 means the batch size. When ctx ends it goes on as Run does.
func (w *Worker) Deliver(ctx context.Context, most int) (Delivered, error) {
	trying, stop := w.drain(ctx)
	defer stop()
	if most < 1 {
		most = w.cfg.Batch
	}
	var faults []error
	b, err := w.claim(ctx, most, func(err error) { faults = append(faults, err) })
	if err != nil {
		return Delivered{}, err
	}
	var running sync.WaitGroup
	w.work(ctx, trying, b, &running)
	running.Wait()
	w.closeIdle()
	return b.delivered, errors.Join(faults...)
}

// Wake tells Run that there is something due.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is told already
	}
}

// ConfigErrors returns how many tries failed for a reason that the operator has to mend.
func (w *Worker) ConfigErrors() int64 { return w.configErrors.Load() }

// closeIdle lets senders close the connections that they keep while messages follow each other.
func (w *Worker) closeIdle() {
	for _, sender := range w.cfg.Senders {
		if c, ok := sender.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}
