package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/roster-go/roster/store"
)

// try is one attempt to send a message.
type try struct {
	message Message
	outcome Outcome
	err     error
	stack   []byte // of a panic
}

// state is what becomes of the message if nothing failed.
func (t try) state() store.MessageState {
	switch t.outcome {
	case Cancel:
		return store.MessageCancelled
	case Expire:
		return store.MessageExpired
	case Send:
	}
	return store.MessageSent
}

// linger is how much longer than its context a try may take to notice that this has ended.
const linger = 100 * time.Millisecond

// try prepares a message and sends it, in a goroutine of its own: a panic there is the failure of this message, and
// who does not obey the time limit is left behind.
func (w *Worker) try(ctx context.Context, m store.Message) try {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.SendTimeout)
	defer cancel()
	done := make(chan try, 1)
	go func() {
		t := try{err: errors.New("the goroutine was ended")} // by runtime.Goexit
		defer func() {
			if v := recover(); v != nil {
				t.err, t.stack = Permanent(fmt.Errorf("panic: %v", v)), debug.Stack()
			}
			done <- t
		}()
		t.err = w.send(ctx, m, &t)
	}()
	select {
	case t := <-done:
		return t
	case <-ctx.Done():
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case t := <-done:
		return t
	case <-timer.C:
		return try{err: fmt.Errorf("not done within the time limit: %w", context.Cause(ctx))}
	}
}

// send fills t as it learns of the message, for the case of a panic.
func (w *Worker) send(ctx context.Context, m store.Message, t *try) error {
	var err error
	t.message, t.outcome, err = w.prepare(ctx, m)
	t.message.ID, t.message.Kind, t.message.CreatedAt = m.ID, m.Kind, m.CreatedAt
	t.message.Channel, t.message.To = Channel(m.Channel), m.To
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	if t.outcome != Send {
		return nil
	}
	t.message.Subject = oneLine(t.message.Subject)
	if err := checkAddress(t.message.Channel, t.message.To); err != nil {
		return Permanent(err)
	}
	sender := w.cfg.Senders[t.message.Channel]
	if sender == nil {
		return Misconfigured(fmt.Errorf("there is no sender of %s", t.message.Channel))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return sender.Send(ctx, t.message)
}
