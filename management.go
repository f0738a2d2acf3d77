package roster

import "time"

// Ban is what keeps a user out.
type Ban struct {
	Reason string     // told to the user after a right password; 200 characters at most
	Note   string     // for administrators alone; 2,000 characters at most
	Until  *time.Time // nil: for ever
}

// Blackout is the record of the end of all tokens issued before it.
type Blackout struct {
	SetAt   time.Time
	By      *ID    // nil: the program itself
	Message string // told to those who may not log in; 500 characters at most
	// Closed lets nobody in but superusers, until Until if that is set.
	Closed bool
	Until  *time.Time
}
