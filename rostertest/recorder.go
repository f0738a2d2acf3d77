package rostertest

import (
	"context"
	"slices"
	"sync"

	"github.com/roster-go/roster/callbacks"
)

// Recorder writes down which events have fired, in the order in which they did: "BeforeCreate", "OnLogin", … It is
// safe for concurrent use.
type Recorder struct {
	mu    sync.Mutex
	names []string
}

// Events returns what has fired since the last Reset.
func (r *Recorder) Events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.names)
}

// Reset forgets what has fired.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = nil
}

func (r *Recorder) record(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, name)
}

// Record makes a recorder listen to every point of a repo: rostertest.Record(&accounts.On).
func Record[U any](on *callbacks.Set[U]) *Recorder {
	r := &Recorder{}
	record(r, "Create", &on.Create)
	record(r, "Update", &on.Update)
	record(r, "Delete", &on.Delete)
	record(r, "Restore", &on.Restore)
	record(r, "SocialLink", &on.SocialLink)
	record(r, "SocialUnlink", &on.SocialUnlink)
	record(r, "UsernameChange", &on.UsernameChange)
	record(r, "ContactChange", &on.ContactChange)
	record(r, "EmailConfirm", &on.EmailConfirm)
	record(r, "PhoneConfirm", &on.PhoneConfirm)
	record(r, "PasswordChange", &on.PasswordChange)
	record(r, "PasswordResetRequest", &on.PasswordResetRequest)
	record(r, "Login", &on.Login)
	recordNotice(r, "LoginFailed", &on.LoginFailed)
	record(r, "Logout", &on.Logout)
	record(r, "Archive", &on.Archive)
	record(r, "Unarchive", &on.Unarchive)
	record(r, "Ban", &on.Ban)
	record(r, "Unban", &on.Unban)
	record(r, "Kick", &on.Kick)
	record(r, "Blackout", &on.Blackout)
	record(r, "PermissionsChange", &on.PermissionsChange)
	recordNotice(r, "SessionRevoke", &on.SessionRevoke)
	recordNotice(r, "TokenReuse", &on.TokenReuse)
	recordNotice(r, "Lockout", &on.Lockout)
	record(r, "Message", &on.Message)
	return r
}

func record[E any](r *Recorder, name string, p *callbacks.Point[E]) {
	p.Before(note[E](r, "Before"+name))
	recordNotice(r, name, &p.Notice)
}

func recordNotice[E any](r *Recorder, name string, n *callbacks.Notice[E]) {
	n.After(note[E](r, "After"+name))
	n.On(note[E](r, "On"+name))
}

func note[E any](r *Recorder, name string) callbacks.Func[E] {
	return func(context.Context, E) error {
		r.record(name)
		return nil
	}
}
