package notify

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// metrics count messages by kind and channel. The zero value is ready.
type metrics struct {
	mu     sync.Mutex
	counts map[medium]*roster.MessageStats
}

func (m *metrics) change(kind string, channel Channel, fn func(*roster.MessageStats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := medium{kind, channel}
	if m.counts[of] == nil {
		if m.counts == nil {
			m.counts = map[medium]*roster.MessageStats{}
		}
		m.counts[of] = &roster.MessageStats{Kind: kind, Channel: string(channel)}
	}
	fn(m.counts[of])
}

// tried counts a try, and what became of the message by it.
func (m *metrics) tried(message store.Message, became store.MessageState, took time.Duration) {
	m.change(message.Kind, Channel(message.Channel), func(s *roster.MessageStats) {
		s.Sending += took
		switch became {
		case store.MessageSent:
			s.Sent++
		case store.MessagePending:
			s.Retried++
		case store.MessageDead:
			s.Dead++
		case store.MessageSending, store.MessageCancelled, store.MessageExpired:
		}
	})
}

// Queued takes note of a message that was committed to the outbox, and wakes Run.
func (w *Worker) Queued(kind string, channel Channel) {
	w.metrics.change(kind, channel, func(s *roster.MessageStats) { s.Queued++ })
	w.Wake()
}

// Stats returns what became of the messages that this worker was told of or has tried, by kind and channel, sorted.
func (w *Worker) Stats() []roster.MessageStats {
	w.metrics.mu.Lock()
	defer w.metrics.mu.Unlock()
	var list []roster.MessageStats
	for _, s := range w.metrics.counts {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b roster.MessageStats) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Channel, b.Channel))
	})
	return list
}
