package notify

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// memoryLimit is how many messages a Memory keeps.
const memoryLimit = 1000

// Memory is a sender that keeps the latest thousand messages, for tests and for the mailbox of development. The
// zero value is ready.
type Memory struct {
	mu       sync.Mutex
	messages []Message // oldest first
	failures int
	failWith error
}

// Send keeps the message, or fails as told by Fail.
func (b *Memory) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures > 0 {
		b.failures--
		return b.failWith
	}
	if len(b.messages) == memoryLimit {
		b.messages = slices.Delete(b.messages, 0, 1)
	}
	b.messages = append(b.messages, m)
	return nil
}

// Last returns the newest message to an address or number, in whatever letter case, and whether there is one.
func (b *Memory) Last(to string) (Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range slices.Backward(b.messages) {
		if strings.EqualFold(m.To, to) {
			return m, true
		}
	}
	return Message{}, false
}

// All returns the messages, newest first.
func (b *Memory) All() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.messages)
	slices.Reverse(list)
	return list
}

// Fail lets the next n messages fail with err. Fail(0, nil) ends that.
func (b *Memory) Fail(n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.failWith = n, err
}
