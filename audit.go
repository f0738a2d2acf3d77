package roster

import (
	"encoding/json"
	"time"
)

// AuditResult tells what became of what somebody tried.
type AuditResult string

// The results.
const (
	AuditOK      AuditResult = "ok"
	AuditRefused AuditResult = "refused" // they may not, or a hook has refused
	AuditFailed  AuditResult = "failed"
)

// AuditEntry is a line of the audit trail: who did what, to whom, when and from where.
type AuditEntry struct {
	ID      ID
	At      time.Time
	Actor   AuditActor
	Action  string // stable: user.ban, login.failed, …
	Subject *ID    // whom it was done to; nil: nobody in particular, or nobody who is known
	Result  AuditResult
	Code    Code            // why it was refused or failed
	Changes json.RawMessage // an object: members with their old and new values, and what else there is to tell; nil: nothing
	Reason  string          // what the administrator gave as reason
	IP      string
	Agent   string
	Session *ID
	Request string
}

// AuditActor is who did it.
type AuditActor struct {
	Kind     ActorKind
	ID       *ID // nil: nobody signed in
	OnBehalf *ID // who asked the program to act in their stead
}

// AuditQuery selects entries by all that is set. The zero query is the newest 20.
type AuditQuery struct {
	Actor, Subject, Session *ID
	Action                  string
	Result                  AuditResult
	IP                      string
	Request                 string
	// Since and Before bound when it happened: from Since on, before Before.
	Since, Before *time.Time
	Limit         int    // 1 to 200; 0 means 20
	Cursor        string // Page.Next of the page before; "" starts
}
