package callbacks

import (
	"time"

	"github.com/roster-go/roster"
)

// Event is what every event carries: who did it, and when. Events never hold a password, hash, token or code.
type Event struct {
	Actor roster.Actor
	At    time.Time
}

// Create tells of a new user. Before may change User; what it leaves is validated like any input. Identifiers are as
// typed until then, capitals and spaces included: which addresses are refused is for Config.Email.Check to say.
type Create[U any] struct {
	Event
	User    U
	Via     roster.Via
	Captcha string // what the client sent as proof of being human, unread
}

// Update tells of a changed user. Before may change User, whose new identifiers are as typed until they are validated.
// A change by ChangeUsername or of a contact by its user is no Update: see UsernameChange and ContactChange.
type Update[U any] struct {
	Event
	Old     U
	User    U
	Changed []string // JSON names, sorted
}

// Delete tells of a deletion. User is the user as before, also after the data is gone.
type Delete[U any] struct {
	Event
	User U
	Mode roster.DeleteMode
	Via  roster.Via
}

// Restore tells that a deactivated user is back.
type Restore[U any] struct {
	Event
	User U
}

// SocialLink tells that an account at another provider was linked with a user.
type SocialLink[U any] struct {
	Event
	User     U
	Provider string
	Subject  string
}

// SocialUnlink tells that such a link was taken away.
type SocialUnlink[U any] struct {
	Event
	User     U
	Provider string
	Subject  string
}

// UsernameChange tells of a new username, by whatever operation. Before may change New, which is as typed there.
type UsernameChange[U any] struct {
	Event
	User U
	Old  string // "" when there was none
	New  string // "" when it is cleared
}

// ContactKind is the kind of a contact.
type ContactKind string

// The kinds of contacts.
const (
	Email ContactKind = "email"
	Phone ContactKind = "phone"
)

// ContactStep tells what happened to a contact.
type ContactStep string

// The steps of a change of contact.
const (
	ContactChanged   ContactStep = "changed"
	ContactRemoved   ContactStep = "removed"
	ContactCancelled ContactStep = "cancelled" // a change that was asked for will not happen
	ContactReverted  ContactStep = "reverted"  // a change that had happened was undone
)

// ContactChange tells that the value of a contact changes, by whatever operation. Before runs when it does: of a new
// contact that a user has asked for, when they confirm it, and not when they ask. Config.Email.Check is asked about an
// address both times. To veto all steps keeps the owner of an old contact from taking it back. In Before of an Update New
// is as typed.
type ContactChange[U any] struct {
	Event
	User U
	Kind ContactKind
	Old  string // "" when there was none
	New  string // "" when it is removed
	Step ContactStep
}

// ConfirmedBy tells what proved a contact.
type ConfirmedBy string

// The ways to prove a contact.
const (
	ByLink          ConfirmedBy = "link"
	ByFirstPassword ConfirmedBy = "first_password"
	ByReset         ConfirmedBy = "reset"
	ByCode          ConfirmedBy = "code"
	ByAdmin         ConfirmedBy = "admin"
)

// EmailConfirm tells that an e-mail address was proven to be the user's.
type EmailConfirm[U any] struct {
	Event
	User    U
	Address string
	By      ConfirmedBy
}

// PhoneConfirm tells that a phone number was proven to be the user's.
type PhoneConfirm[U any] struct {
	Event
	User    U
	Address string
	By      ConfirmedBy
}

// PasswordChange tells that a user has a new password.
type PasswordChange[U any] struct {
	Event
	User U
	Kind roster.PasswordKind
}

// PasswordRequestKind tells what a requested link is for.
type PasswordRequestKind string

// The kinds of requested links.
const (
	RequestFirst      PasswordRequestKind = "first"      // to set a first password
	RequestReset      PasswordRequestKind = "reset"      // to set another
	RequestActivation PasswordRequestKind = "activation" // to prove the contact first
)

// PasswordResetRequest tells that a link was made by which a password can be set.
type PasswordResetRequest[U any] struct {
	Event
	User U
	Kind PasswordRequestKind
	Via  roster.Via
}

// Login tells of a new session. Session is zero in Before.
type Login[U any] struct {
	Event
	User    U
	Via     roster.Via
	AMR     []string
	Session roster.ID
	Captcha string
}

// LoginFailed tells of a refused log-in.
type LoginFailed struct {
	Event
	Login  string // masked
	UserID *roster.ID
	Reason roster.LoginFailure
	Via    roster.Via
}

// Logout tells that a user ended a session.
type Logout struct {
	Event
	UserID roster.ID
	SID    roster.ID
}

// Archive tells that an account was put aside.
type Archive[U any] struct {
	Event
	User   U
	By     roster.ArchivedBy
	Reason string
}

// Unarchive tells that an account is back in use.
type Unarchive[U any] struct {
	Event
	User   U
	By     UnarchivedBy
	Reason string
}

// UnarchivedBy tells what brought an account back.
type UnarchivedBy string

// The ways back.
const (
	UnarchivedByLogin UnarchivedBy = "login"
	UnarchivedByAdmin UnarchivedBy = "admin"
)

// Ban tells that a user is banned, or banned otherwise than before. Before may change Ban.
type Ban[U any] struct {
	Event
	User U
	Ban  roster.Ban
	// Changed says that the user was banned before: reason, note or end are new.
	Changed bool
}

// Unban tells that a ban was lifted. Ban is what it was.
type Unban[U any] struct {
	Event
	User U
	Ban  roster.Ban
}

// Kick tells that all sessions of a user were ended by somebody.
type Kick struct {
	Event
	UserID   roster.ID
	Sessions int // 0 in Before
}

// BlackoutAction tells what happened to the blackout.
type BlackoutAction string

// The things that happen to a blackout.
const (
	BlackoutSet     BlackoutAction = "set"
	BlackoutDeleted BlackoutAction = "delete"
)

// Blackout tells that all tokens of all users were ended, or that the record of it is gone. Before may change Blackout.
type Blackout struct {
	Event
	Action   BlackoutAction
	Blackout roster.Blackout
}

// PermissionsChange tells that a user holds other permissions, or became a superuser or ceased to be one. Before may
// change New.
type PermissionsChange[U any] struct {
	Event
	User           U
	Old, New       roster.Permissions
	Added, Removed roster.Permissions
	Superuser      *bool // nil: it stays
}

// SessionRevoke tells that sessions were ended by one operation.
type SessionRevoke struct {
	Event
	UserID roster.ID
	SIDs   []roster.ID
	Reason roster.RevokeReason
}

// TokenReuse tells that a spent refresh token came back: somebody else has a copy. The session was ended.
type TokenReuse struct {
	Event
	UserID     roster.ID
	SID        roster.ID
	Generation int64
}

// Lockout tells that guessing was stopped: an address was locked, a login string or device has to wait, or the password
// of an account was closed.
type Lockout struct {
	Event
	Kind     roster.LockoutKind
	UserID   *roster.ID
	Subject  string // masked
	Failures int
	Until    *time.Time // nil: until it is opened again
}

// Message tells that a mail or SMS is about to be queued. Before may change Language, Subject, Data, Headers and
// Skip; with Skip the message is not queued and the operation goes on. The token or code is not in it.
type Message[U any] struct {
	Event
	ID       roster.ID // of the message; zero in Before
	Kind     string
	Channel  string // email or sms
	UserID   *roster.ID
	To       string
	Language string
	Subject  string // "" leaves it to the template
	Data     MessageData[U]
	Headers  map[string]string
	Skip     bool
}

// MessageData is what the template of a message sees beside its link.
type MessageData[U any] struct {
	User U
	Vars map[string]any
}
