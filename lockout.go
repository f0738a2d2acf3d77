package roster

import "time"

// Lockout is something that guessing has locked: an address, a login string, one from an address, a device or the
// password of an account.
type Lockout struct {
	Key      string // names it to ClearLockout, and tells nothing
	Kind     LockoutKind
	Subject  string // masked
	UserID   *ID    // nil: of nobody who is known
	Failures int
	Since    time.Time
	Until    *time.Time // nil: until it is opened
}

// LockoutQuery selects lockouts; the zero one the 20 newest.
type LockoutQuery struct {
	Kind LockoutKind // "": all
	// Text is part of the masked subject, in any case.
	Text   string
	Limit  int    // 1 to 200; 0 means 20
	Cursor string // Page.Next of the page before; "" starts
}
