package cache

// EventKind tells what happened to a subscription.
type EventKind int

// The kinds of events.
const (
	// Received is a message.
	Received EventKind = iota
	// Lost is a feed that broke: nothing arrives until Resumed. Poll meanwhile.
	Lost
	// Resumed is a feed that is whole again from here on, and was not before: messages are missing. Read the truth.
	Resumed
)

// Event is a message, or news of the subscription itself.
type Event struct {
	Kind    EventKind
	Message []byte
}

// feedBuffer is how many events a subscriber may lag behind before it misses some.
const feedBuffer = 256

// offer hands a message to a subscriber without waiting for it. The last free place is for Resumed, so one that lags
// reads, after what it missed, that it did. Only one goroutine at a time may offer to a channel.
func offer(events chan<- Event, message []byte) {
	switch cap(events) - len(events) {
	case 0: // full: the event that came last is a Resumed, or a Lost that a Resumed will follow
	case 1:
		events <- Event{Kind: Resumed}
	default:
		events <- Event{Kind: Received, Message: message}
	}
}
