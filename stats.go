package roster

import "time"

// Stats are counters of one process since its start, and what it holds.
type Stats struct {
	// HookErrors are the errors, panics and late ends of hooks that no caller was told of.
	HookErrors int64
	// MailConfigErrors are the tries to send that failed for a reason which the operator has to mend.
	MailConfigErrors int64
	// CacheErrors are the calls that the cache did not answer: limits were counted in the database then, and news of other nodes
	// were read from it.
	CacheErrors int64
	// Revocations are the ended sessions and raised epochs of users that this process holds in memory now.
	Revocations int
	// RevocationsAge is how long ago they were read from the database. Beyond Session.MaxStaleness no token is accepted.
	RevocationsAge time.Duration
	// Messages are those of the outbox that this process has queued or tried to send, by kind and channel.
	Messages []MessageStats
}

// MessageStats count the messages of a kind on a channel.
type MessageStats struct {
	Kind, Channel string
	Queued        int64
	Sent          int64
	Retried       int64 // tries that failed and are made again
	Dead          int64
	// Sending is how long all tries took together, the failed ones too.
	Sending time.Duration
}

// Backlog is what waits in the outbox.
type Backlog struct {
	Waiting int
	// Oldest is when the oldest of them was queued; nil: nothing waits.
	Oldest *time.Time
}
