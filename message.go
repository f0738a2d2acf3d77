package roster

import "time"

// MessageQuery selects messages of the outbox, the newest first. The zero value is the first 20 of all.
type MessageQuery struct {
	State   string // pending, sending, sent, dead, cancelled or expired; "" means any
	Kind    string // "" means any
	Channel string // email or sms; "" means both
	UserID  *ID
	// From and Before bound when it was queued: not before From, and before Before. The zero time does not bound.
	From, Before time.Time
	// Limit is 1 to 200; 0 means 20.
	Limit int
	// Cursor is Page.Next of the page before; "" starts.
	Cursor string
}

// MessageInfo is what administrators see of a message: never its text, link or code, and of the recipient a mask.
type MessageInfo struct {
	ID        ID
	Kind      string
	Channel   string
	ToMasked  string // "" when it was erased
	State     string
	Attempts  int
	NextAt    time.Time // when it is tried next, while it is pending
	LastError string    // without address, link and code; "" means none
	CreatedAt time.Time
	SentAt    *time.Time
}
