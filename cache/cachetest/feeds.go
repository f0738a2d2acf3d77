package cachetest

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/roster-go/roster/cache"
)

const patience = 10 * time.Second

func (s *suite) listen(ctx context.Context, t *attempt, channel string) <-chan cache.Event {
	t.Helper()
	events, err := s.Subscribe(ctx, channel)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func (s *suite) say(t *attempt, channel, message string) {
	t.Helper()
	if err := s.Publish(t.Context(), channel, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

// next waits for an event; ok is false when the subscription has ended.
func next(t *attempt, events <-chan cache.Event) (e cache.Event, ok bool) {
	t.Helper()
	select {
	case e, ok = <-events:
		return e, ok
	case <-time.After(patience):
		t.Fatal("no event")
		return cache.Event{}, false
	}
}

func (s *suite) publish(t *attempt) {
	mine, others := s.key("mine"), s.key("others")
	s.say(t, mine, "too early")
	first, second := s.listen(t.Context(), t, mine), s.listen(t.Context(), t, mine)
	other := s.listen(t.Context(), t, others)
	messages := []string{"one", "", "\x00\xff\r\n", "last"}
	for _, m := range messages {
		s.say(t, mine, m)
	}
	s.say(t, others, "other")
	for _, events := range []<-chan cache.Event{first, second} {
		for _, m := range messages {
			e, ok := next(t, events)
			if !ok || e.Kind != cache.Received || string(e.Message) != m {
				t.Errorf("got %+v, %v; want the message %q", e, ok, m)
			}
			for i := range e.Message { // belongs to this receiver
				e.Message[i] = 'x'
			}
		}
	}
	if e, _ := next(t, other); string(e.Message) != "other" {
		t.Errorf("got %+v from the other channel", e)
	}
}

func (s *suite) unsubscribe(t *attempt) {
	channel := s.key("channel")
	ctx, cancel := context.WithCancel(t.Context())
	ends, stays := s.listen(ctx, t, channel), s.listen(t.Context(), t, channel)
	cancel()
	for ok := true; ok; {
		var e cache.Event
		if e, ok = next(t, ends); ok && e.Kind == cache.Received {
			t.Errorf("got %+v, want the end", e)
		}
	}
	s.say(t, channel, "still here")
	if e, ok := next(t, stays); !ok || string(e.Message) != "still here" {
		t.Errorf("the other subscriber: got %+v, %v", e, ok)
	}
}

// Whoever does not read holds up nobody, and learns of each gap behind it.
func (s *suite) lag(t *attempt) {
	const messages = 1000
	channel := s.key("channel")
	events := s.listen(t.Context(), t, channel)
	number := make([]byte, 8)
	for n := range uint64(messages) {
		binary.BigEndian.PutUint64(number, n)
		s.say(t, channel, string(number))
	}
	for heard := uint64(0); heard < messages; {
		e, ok := next(t, events)
		switch {
		case !ok:
			t.Fatalf("the subscription ended after %d", heard)
		case e.Kind == cache.Resumed:
			// What was published before it was told may be missing. Only what is published from now on is sure.
			heard = messages
		case e.Kind == cache.Received:
			if n := binary.BigEndian.Uint64(e.Message); n != heard {
				t.Fatalf("got message %d, want %d or news of a gap", n, heard)
			}
			heard++
		}
	}
	s.say(t, channel, "after it")
	for {
		switch e, _ := next(t, events); {
		case e.Kind == cache.Resumed:
			s.say(t, channel, "after it") // it may have been among the missing ones
		case string(e.Message) == "after it":
			return
		}
	}
}
