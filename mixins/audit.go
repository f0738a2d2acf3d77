package mixins

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/secrets"
	"github.com/roster-go/roster/store"
)

// The audit trail is written here. Package mixins feeds it where events are fired (record) and vetoed (recordVeto), where
// actors are refused (forbidden, CheckFresh), where they read (recordRead), in the few operations without an event
// (recordDeed), where log-ins fail (failureEntry), and where a session begins, whose entry goes into the database in one
// statement with it.

// deed is what an entry tells, beside who did it and when.
type deed struct {
	action  string
	subject *roster.ID
	result  roster.AuditResult // "" means ok
	code    roster.Code
	changes map[string]any
	session *roster.ID // nil: that of the actor
	// always says that it is told of everybody; else of administrators, and of those who change others.
	always bool
}

// changed is a value before and after.
type changed struct {
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
}

// actions are the stable names of what operations do, for those that are refused before an event tells.
var actions = map[string]string{
	"Authorize": "authorize", "CheckFresh": "authorize",
	"Get": "user.read", "GetByEmail": "user.read", "GetByUsername": "user.read", "GetByPhone": "user.read",
	"GetByLogin": "user.read", "GetBySocial": "user.read", "GetStanding": "user.read", "GetPermissions": "permissions.read",
	"Search": "user.search", "Count": "user.search", "GetBlacklist": "blacklist.read", "ListAudit": "audit.read",
	"ExportAudit": "audit.export",
	"Create":      "user.create", "Update": "user.update", "UpdateAccount": "user.update", "UpdateLastLogin": "user.update",
	"Delete": "user.delete", "Restore": "user.restore", "LinkSocial": "social.link", "UnlinkSocial": "social.unlink",
	"ListSocial": "social.read", "ListSessions": "session.read", "RevokeSession": "session.revoke",
	"RevokeSessions": "session.revoke", "RevokeOtherSessions": "session.revoke", "CheckPassword": "password.check",
	"RequestPasswordSet": "password.request", "SendPasswordReset": "password.request", "SetPasswordResetToken": "password.request",
	"SetPassword": "password.change", "ChangePassword": "password.change", "GetPasswordStatus": "password.read",
	"IsPasswordResetAvailable": "password.read", "ChangeUsername": "user.update",
	"RequestEmailConfirmation": "email.request", "SendEmailCode": "email.request", "IsEmailConfirmationAvailable": "email.read",
	"SendCode": "code.request", "CheckCode": "code.check", "FindContacts": "contact.read",
	"CheckEmailCode": "email.confirm", "SetEmailConfirmed": "email.confirm", "RequestEmailChange": "email.change",
	"RequestPhoneConfirmation": "phone.request", "SendPhoneCode": "phone.request", "IsPhoneConfirmationAvailable": "phone.read",
	"ConfirmPhone": "phone.confirm", "CheckPhoneCode": "phone.confirm", "SetPhoneConfirmed": "phone.confirm",
	"RequestPhoneChange": "phone.change", "ConfirmPhoneChange": "phone.change", "PendingContactChanges": "contact.read",
	"ListLockouts": "lockout.read", "ClearLockout": "lockout.clear", "ListMessages": "message.read", "RetryMessage": "message.retry",
	"Archive": "user.archive", "Close": "user.delete", "ExportAccount": "user.export",
	"Ban": "user.ban", "Unban": "user.unban", "ToggleBlacklist": "user.ban", "Kick": "user.kick",
	"ArchiveUser": "user.archive", "UnarchiveUser": "user.unarchive",
	"GetBlackout": "blackout.read", "SetBlackout": "blackout.set", "DeleteBlackout": "blackout.delete",
	"SetPermissions": "permission.change", "AddPermissions": "permission.change", "RemovePermissions": "permission.change",
	"SetSuperuser": "superuser.change", "CreateSuperuser": "user.create", "StorePassword": "password.change",
	"CreateOTP": "otp.create", "FindOTP": "otp.read", "CheckOTP": "otp.check", "GetValidOTP": "otp.check", "UseOTP": "otp.use",
	"ExtendOTP": "otp.extend", "DeactivateOTP": "otp.deactivate",
	"IssueTokens": "session.issue", "Logout": "logout", "ListKeys": "key.read", "RotateKeys": "key.rotate", "RevokeKey": "key.revoke",
	"Deliver": "message.deliver", "GetBacklog": "message.read", "Clean": "repo.clean", "Reindex": "repo.reindex",
	"ExportUsers": "users.export", "ImportUsers": "users.import",
}

// actionOf names what the operation of ctx, or the one that called it, is about.
func actionOf(ctx context.Context) string {
	f, _ := ctx.Value(frameKey{}).(*frame)
	if f == nil {
		return "unknown"
	}
	for f.outer != nil {
		f = f.outer
	}
	if action, ok := actions[f.name]; ok {
		return action
	}
	return f.name
}

// deedOf is what an event comes to in the audit trail; ok is false for events that belong to another one.
func (c *Core[U]) deedOf(ctx context.Context, event any) (d deed, ok bool) {
	of := func(u U) *roster.ID { return new(u.Base().ID) }
	switch e := event.(type) {
	case *callbacks.Create[U]:
		d = deed{action: "user.create", subject: of(e.User), changes: c.Plan.changes(c.Plan.New(), e.User)}
	case *callbacks.Update[U]:
		d = deed{action: "user.update", subject: of(e.User), changes: c.Plan.changes(e.Old, e.User)}
	case *callbacks.Delete[U]:
		d = deed{action: "user.delete", subject: of(e.User), changes: map[string]any{"mode": e.Mode}}
		// A close that is to forget the person adds no entry, which would hold their address.
		d.always = e.Via == roster.ViaSelf && e.Mode == roster.Deactivate
	case *callbacks.Restore[U]:
		d = deed{action: "user.restore", subject: of(e.User)}
	case *callbacks.SocialLink[U]:
		d = deed{action: "social.link", subject: of(e.User), changes: map[string]any{"provider": e.Provider}}
	case *callbacks.SocialUnlink[U]:
		d = deed{action: "social.unlink", subject: of(e.User), changes: map[string]any{"provider": e.Provider}}
	case *callbacks.EmailConfirm[U]:
		d = deed{action: "email.confirm", subject: of(e.User), changes: map[string]any{"by": e.By}}
	case *callbacks.PhoneConfirm[U]:
		d = deed{action: "phone.confirm", subject: of(e.User), changes: map[string]any{"by": e.By}}
	case *callbacks.UsernameChange[U]:
		if !calledAs(ctx, "ChangeUsername") {
			return d, false // it goes with the update
		}
		d = deed{action: "user.update", subject: of(e.User), changes: map[string]any{"username": changed{e.Old, e.New}}}
	case *callbacks.ContactChange[U]:
		if calledAs(ctx, "Update") {
			return d, false // likewise
		}
		d = deed{action: string(e.Kind) + ".change", subject: of(e.User), changes: map[string]any{string(e.Kind): changed{e.Old, e.New}, "step": e.Step}, always: true}
	case *callbacks.PasswordChange[U]:
		d = deed{action: "password.change", subject: of(e.User), changes: map[string]any{"kind": e.Kind}, always: true}
	case *callbacks.PasswordResetRequest[U]:
		d = deed{action: "password.request", subject: of(e.User), changes: map[string]any{"kind": e.Kind}}
	case *callbacks.Message[U]:
		if e.UserID == nil || nested(ctx) || !calledAs(ctx, "RequestEmailConfirmation") {
			return d, false // it goes with what it tells of
		}
		d = deed{action: "email.request", subject: e.UserID}
	case *callbacks.Logout:
		d = deed{action: "logout", subject: &e.UserID, session: &e.SID, always: true}
	case *callbacks.Archive[U]:
		d = deed{action: "user.archive", subject: of(e.User), changes: map[string]any{"by": e.By, "reason": e.Reason}}
		d.always = e.By == roster.ArchivedBySelf
	case *callbacks.Unarchive[U]:
		d = deed{action: "user.unarchive", subject: of(e.User), changes: map[string]any{"by": e.By}}
		d.always = e.By == callbacks.UnarchivedByLogin
	case *callbacks.Ban[U]:
		d = deed{action: "user.ban", subject: of(e.User), changes: map[string]any{"reason": e.Ban.Reason, "note": e.Ban.Note, "until": e.Ban.Until}}
	case *callbacks.Unban[U]:
		d = deed{action: "user.unban", subject: of(e.User)}
	case *callbacks.Kick:
		d = deed{action: "user.kick", subject: &e.UserID, changes: map[string]any{"sessions": e.Sessions}}
	case *callbacks.Blackout:
		d = deed{action: "blackout.set", changes: map[string]any{
			"message": e.Blackout.Message, "closed": e.Blackout.Closed, "until": e.Blackout.Until,
		}}
		if e.Action == callbacks.BlackoutDeleted {
			d = deed{action: "blackout.delete"}
		}
	case *callbacks.PermissionsChange[U]:
		d = deed{action: "permission.change", subject: of(e.User), changes: map[string]any{"added": e.Added, "removed": e.Removed}}
		if e.Superuser != nil {
			d.action, d.changes = "superuser.change", map[string]any{"superuser": changed{!*e.Superuser, *e.Superuser}}
		}
	case *callbacks.SessionRevoke:
		if nested(ctx) {
			return d, false // it goes with what ended them
		}
		d = deed{action: "session.revoke", subject: &e.UserID, changes: map[string]any{"sessions": e.SIDs, "reason": e.Reason}}
	case *callbacks.TokenReuse:
		d = deed{action: "token.reuse", subject: &e.UserID, session: &e.SID, result: roster.AuditRefused, code: roster.CodeTokenReused, always: true}
	case *callbacks.Lockout:
		d = deed{action: "lockout", subject: e.UserID, result: roster.AuditRefused, code: roster.CodeTooManyRequests, always: true, changes: map[string]any{
			"kind": e.Kind, "subject": e.Subject, "failures": e.Failures, "until": e.Until,
		}}
	default:
		return d, false // a log-in is written with its session, a refused one by RecordLoginFailure
	}
	return d, true
}

// failureEntry tells of a refused log-in. Attempts that nobody judged are left out: a locked address could fill the
// database as fast as it can ask. That it was locked is an entry. What was typed by somebody who is not known may be
// anything, a password too: only a keyed hash of it is kept.
func (c *Core[U]) failureEntry(ctx context.Context, e *callbacks.LoginFailed, login string) *store.AuditEntry {
	d := deed{action: "login.failed", subject: e.UserID, result: roster.AuditFailed, code: roster.Code(e.Reason)}
	switch e.Reason {
	case roster.FailedThrottled:
		return nil
	case roster.FailedBanned, roster.FailedArchived, roster.FailedNotVerified, roster.FailedVetoed:
		d.result = roster.AuditRefused
	default:
	}
	d.changes = map[string]any{"via": e.Via}
	if e.UserID == nil {
		d.changes["login_hash"] = hex.EncodeToString(c.Secrets.MAC(secrets.Audit, []byte(c.Identifiers.CounterKey(login))))
	}
	return c.entry(ctx, d)
}

// calledAs reports whether the operation of ctx has a name.
func calledAs(ctx context.Context, name string) bool {
	f, _ := ctx.Value(frameKey{}).(*frame)
	return f != nil && f.name == name
}

// concerns reports whether the audit trail tells of a deed of this actor.
func (d deed) concerns(a roster.Actor) bool {
	switch a.Kind {
	case roster.ActorAdmin, roster.ActorCLI:
		return true
	case roster.ActorUser:
		return d.always || a.ID != (roster.ID{}) && (d.subject == nil || *d.subject != a.ID)
	case roster.ActorSystem, roster.ActorImport:
	}
	return d.always
}

// record writes an event to the audit trail, in the transaction of ctx.
func (c *Core[U]) record(ctx context.Context, event any) error {
	d, ok := c.deedOf(ctx, event)
	if !ok {
		return nil
	}
	return c.recordDeed(ctx, d)
}

// recordDeed writes what an operation did to the audit trail, in the transaction of ctx.
func (c *Core[U]) recordDeed(ctx context.Context, d deed) error {
	if !d.concerns(roster.ActorFrom(ctx)) {
		return nil
	}
	return c.Store.InsertAudit(ctx, c.entry(ctx, d))
}

// recordVeto writes that a hook has refused, whatever becomes of the transaction of ctx.
func (c *Core[U]) recordVeto(ctx context.Context, event any, veto error) {
	d, ok := c.deedOf(ctx, event)
	switch e := event.(type) { // what else would go with the update, which there is none of now
	case *callbacks.UsernameChange[U]:
		d, ok = deed{action: "user.update", subject: new(e.User.Base().ID)}, true
	case *callbacks.ContactChange[U]:
		if !ok {
			d, ok = deed{action: "user.update", subject: new(e.User.Base().ID)}, true
		}
	}
	if !ok || !d.concerns(roster.ActorFrom(ctx)) {
		return
	}
	d.result, d.code = roster.AuditRefused, codeOf(veto)
	c.recordAside(ctx, d)
}

func codeOf(err error) roster.Code {
	if e, ok := errors.AsType[*roster.Error](err); ok {
		return e.Code
	}
	return roster.CodeInternal
}

func (c *Core[U]) recordAside(ctx context.Context, d deed) {
	entry := c.entry(ctx, d)
	err := c.Store.Aside(ctx, func(ctx context.Context) error { return c.Store.InsertAudit(ctx, entry) })
	if err != nil {
		c.Logger.ErrorContext(ctx, "audit entry was not written", slog.String("action", d.action), slog.Any("error", err))
	}
}

// forbidden refuses an actor, and writes that to the audit trail, whatever becomes of the transaction of ctx.
func (c *Core[U]) forbidden(ctx context.Context, permission string, target roster.ID) *roster.Error {
	d := deed{action: actionOf(ctx), result: roster.AuditRefused, code: roster.CodeForbidden}
	if permission != "" {
		d.changes = map[string]any{"permission": permission}
	}
	if target != (roster.ID{}) {
		d.subject = &target
	}
	c.recordAside(ctx, d)
	return roster.ErrForbidden
}

// recordRead writes that somebody was shown what is not theirs.
func (c *Core[U]) recordRead(ctx context.Context, subject *roster.ID, changes map[string]any, result error) error {
	if nested(ctx) {
		return nil // what was called first tells
	}
	d := deed{action: actionOf(ctx), subject: subject, changes: changes}
	if result != nil {
		d.result, d.code = roster.AuditFailed, codeOf(result)
	}
	return c.Store.Autocommit(ctx, func(ctx context.Context) error { return c.Store.InsertAudit(ctx, c.entry(ctx, d)) })
}

// recordUnchanged writes that an administrator was shown a user whom what they asked for did not change.
func (c *Core[U]) recordUnchanged(ctx context.Context, id roster.ID) error {
	if actor := roster.ActorFrom(ctx); actor.Trusted() || actor.ID == id {
		return nil
	}
	return c.recordRead(ctx, &id, nil, nil)
}

// entry makes the line of a deed.
func (c *Core[U]) entry(ctx context.Context, d deed) *store.AuditEntry {
	a := roster.ActorFrom(ctx)
	e := &store.AuditEntry{
		ID: roster.NewID(), HappenedAt: c.now(), ActorKind: a.Kind, ActorID: given(a.ID), OnBehalf: given(a.OnBehalfOf),
		Action: d.action, SubjectID: d.subject, Result: d.result, Code: string(d.code), Reason: present(clipTo(a.Reason, roster.MaxReason)),
		IP: present(clip(a.IP)), UserAgent: present(clip(a.UserAgent)), SessionID: given(a.SID), RequestID: present(clip(a.RequestID)),
	}
	if e.Result == "" {
		e.Result = roster.AuditOK
	}
	if d.session != nil {
		e.SessionID = d.session
	}
	maps.DeleteFunc(d.changes, func(_ string, v any) bool { return reflect.ValueOf(v).IsZero() })
	if len(d.changes) > 0 {
		text, err := json.Marshal(d.changes)
		if err != nil { // of a field of the program's own
			text, _ = json.Marshal(map[string]any{"changed": slices.Sorted(maps.Keys(d.changes))})
		}
		e.Changes = new(string(text))
	}
	return e
}

func given(id roster.ID) *roster.ID {
	if id == (roster.ID{}) {
		return nil
	}
	return &id
}

// changes are the fields in which two users differ, with their values: but of fields that clients are not shown, only
// that they did.
func (p *Plan[U]) changes(old, user U) map[string]any {
	list := map[string]any{}
	for _, f := range p.changed(old, user) {
		switch {
		case f.hidden:
			list[f.Name] = "changed"
		case f.Custom, f.WritableBy(roster.WriterAdmin), f.Name == "permissions", f.Name == "superuser":
			list[f.Name] = changed{f.value(old).Interface(), f.value(user).Interface()}
		}
	}
	return list
}
