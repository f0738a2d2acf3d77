package cache

import (
	"bytes"
	"context"
)

// Publish implements Cache. It never waits for a subscriber.
func (m *Memory) Publish(ctx context.Context, channel string, message []byte) error {
	if err := checkKeys(ctx, channel); err != nil {
		return err
	}
	m.feedsMu.Lock()
	defer m.feedsMu.Unlock()
	for events := range m.feeds[channel] {
		offer(events, bytes.Clone(message))
	}
	return nil
}

// Subscribe implements Cache. There is no connection to lose, so it tells Resumed, to those who lag, and never Lost.
func (m *Memory) Subscribe(ctx context.Context, channel string) (<-chan Event, error) {
	if err := checkKeys(ctx, channel); err != nil {
		return nil, err
	}
	m.feedsMu.Lock()
	defer m.feedsMu.Unlock()
	events := make(chan Event, feedBuffer)
	if m.feeds[channel] == nil {
		m.feeds[channel] = make(map[chan Event]struct{})
	}
	m.feeds[channel][events] = struct{}{}
	context.AfterFunc(ctx, func() { m.unsubscribe(channel, events) })
	return events, nil
}

func (m *Memory) unsubscribe(channel string, events chan Event) {
	m.feedsMu.Lock()
	defer m.feedsMu.Unlock()
	delete(m.feeds[channel], events)
	if len(m.feeds[channel]) == 0 {
		delete(m.feeds, channel)
	}
	close(events)
}
