package roster

import "time"

// Ban is what keeps a user out.
type Ban struct {
	Reason string     // told to the user after a right password; 200 characters at most
	Note   string     // for administrators alone; 2,000 characters at most
	Until  *time.Time // nil: for ever
}

// BanRecord is a ban as it stands.
type BanRecord struct {
	Ban
	At time.Time
	By *ID // who set it as it is; nil: the program itself
}

// Banned is a line of the blacklist.
type Banned[U Model] struct {
	User U
	BanRecord
	// Current says that access tokens from before the ban may not have expired yet.
	Current bool
}

// BlacklistQuery selects users who are banned. The zero query is the first 20, newest ban first.
type BlacklistQuery struct {
	By *ID // who banned them
	// Since and Until bound when the bans began: from Since on, before Until.
	Since, Until *time.Time
	Current      *bool  // as Banned.Current is
	Limit        int    // 1 to 200; 0 means 20
	Cursor       string // Page.Next of the page before; "" starts
}

// Standing is what administrators are told of a user beside the record.
type Standing struct {
	Ban         *BanRecord // nil: not banned
	HasPassword bool
	Epoch       int64 // grows with each end of all access tokens
	Sessions    int   // live ones
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

// ClosedNow reports whether the blackout lets nobody but superusers in at the time now.
func (b Blackout) ClosedNow(now time.Time) bool {
	return b.Closed && (b.Until == nil || now.Before(*b.Until))
}
