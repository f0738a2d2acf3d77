package mixins

import (
	"cmp"
	"context"
	"io/fs"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/passwords"
	"github.com/roster-go/roster/tokens"
)

// Settings are what a program decides about its repo, part by part. Every zero value is safe.
type Settings struct {
	// BaseURL is where people reach the program; the links in mails begin with it.
	BaseURL string
	// Development is for a program on localhost, on which plain http is fine.
	Development bool
	// Product is what mails call the program.
	Product    string
	Account    AccountConfig
	Session    SessionConfig
	Username   UsernameConfig
	Email      identifiers.EmailConfig
	Phone      identifiers.PhoneConfig
	Confirm    ConfirmConfig
	Password   PasswordConfig
	OneTime    OneTimeConfig
	Protection ProtectionConfig
	Notify     NotifyConfig
	Callbacks  CallbacksConfig
	Management ManagementConfig
	Audit      AuditConfig
}

// AccountConfig is how people come to an account and into it.
type AccountConfig struct {
	// RegistrationClosed refuses Register.
	RegistrationClosed bool
	// RequireConfirmed lets nobody in who has an e-mail address or phone number and proved none.
	RequireConfirmed bool
	// PasswordlessRegistration lets people register without a password; they are mailed a link to set one.
	PasswordlessRegistration bool
	// LoginFields are the kinds of identifiers that log-ins may name; empty means all.
	LoginFields []identifiers.Kind
	// Backends judge credentials, in this order; empty means roster.PasswordBackend and roster.CodeBackend. Without the
	// latter nobody logs in by a code.
	Backends []roster.Backend
	// UnverifiedUpdate lets people change their account before they proved a contact.
	UnverifiedUpdate bool
	// ConcealRegistration lets Register tell nobody which e-mail addresses and phone numbers have an account: the answer is
	// the same, and the owner of one that is taken gets a message. It needs RequireConfirmed, and takes one contact at a time:
	// what is sent to one of two would tell of the other. Overrides of RequestEmailConfirmation, RequestPhoneConfirmation and
	// RequestPasswordSet send new users their message, and are not called for a contact that is taken. Hooks before Create run
	// either way, those after it for new users alone: what takes long there shows in the time.
	ConcealRegistration bool
	// CloseMode is what Close leaves of an account; "" means roster.Deactivate.
	CloseMode roster.DeleteMode
	// Export returns what else the program has stored about a user, for ExportAccount; nil: nothing.
	Export func(ctx context.Context, user roster.Model) (map[string]any, error)
}

// UsernameConfig is what usernames look like and how long a released one is kept for its owner.
type UsernameConfig struct {
	identifiers.UsernameConfig
	// HoldFor keeps a username that was given up from others; 0 means 90 days, a negative value not at all.
	HoldFor time.Duration
	// ChangeQuota lets people change their own username 5 times in 24 h.
	ChangeQuota LaneConfig
}

// ConfirmConfig is how contacts are proven.
type ConfirmConfig struct {
	// NoneOnRegister sends no confirmation when people register.
	NoneOnRegister bool
	// EmailTTL is the life of the link that proves an e-mail address; 0 means 24 h.
	EmailTTL time.Duration
	// ChangeTTL is the life of the link that proves the new address of a change; 0 means 1 h.
	ChangeTTL time.Duration
	// RevertWindow is how long the owner of the old contact can take a change back, from when it was asked for; 0 means
	// 72 h; with a negative value they can only until the new contact is confirmed.
	RevertWindow time.Duration
	// RevokeOnChange ends the other sessions of a user whose contact has changed.
	RevokeOnChange bool
}

// OneTimeConfig is what one-time codes and passwords look like and how long they are good.
type OneTimeConfig struct {
	// EmailDigits and PhoneDigits are how many digits the codes have that are sent by mail and by SMS, 6 to 10; 0 means 6.
	EmailDigits, PhoneDigits int
	// EmailAlphabet are the characters of codes in mails, letters and digits, EmailDigits of which make a million codes or
	// more; "" means "0123456789".
	EmailAlphabet string
	// CodeTTL is the life of such a code, 10 min at most; 0 means 10 min.
	CodeTTL time.Duration
	// Off are kinds of codes that there are not: to ask for one is to ask for an unknown purpose.
	Off []roster.CodeKind
	// NoDecoys has FindContacts show no contacts for logins that nobody has, which tells who has an account.
	NoDecoys bool
	// Expiration is the life of a one-time password for a purpose of the program's own that names none, MaxLife the longest
	// that one can have; 0 means 10 min and 24 h.
	Expiration, MaxLife time.Duration
	// KeyGenerator makes their keys; nil: 20 characters of A–Z, a–z and 0–9.
	KeyGenerator roster.OTPKeyFunc
	// Retention is how long they are kept after their end; 0: until the next clean-up.
	Retention time.Duration
}

// form is what codes to a contact are made of, and how long they are.
func (o OneTimeConfig) form(k contact) (alphabet string, length int) {
	if k.channel == notify.SMS {
		return decimal, o.PhoneDigits
	}
	return o.EmailAlphabet, o.EmailDigits
}

const decimal = "0123456789"

// PasswordConfig is how passwords are hashed, which ones people may choose, and how long the links live by which they are
// set.
type PasswordConfig struct {
	passwords.Config
	// Check is a rule of the program's own for passwords that people choose, for a user as they will be; one who registers
	// has identifiers as typed. Its field errors are told together with the others: of an error that has any, its own code,
	// status and message are lost. Any other error fails the operation. Create asks it only together with
	// roster.WithPasswordPolicy. nil: none.
	Check func(ctx context.Context, user roster.Model, password roster.Secret) error
	// FirstTTL is the life of the link by which a first password is set; 0 means 24 h.
	FirstTTL time.Duration
	// ResetTTL is the life of a link that resets a password; 0 means 1 h.
	ResetTTL time.Duration
	// ResetForUnverified is what people are sent who forgot their password before they proved the contact; "" means
	// SendActivation.
	ResetForUnverified ResetForUnverified
}

// ResetForUnverified is what people are sent who forgot their password before they proved the contact.
type ResetForUnverified string

// The answers.
const (
	SendActivation ResetForUnverified = "activation" // a link or code that proves the contact, so that they can ask again
	SendReset      ResetForUnverified = "reset"      // what resets the password, and proves the contact with it
)

// ProtectionConfig is what slows guessing down. Zero values mean the defaults.
type ProtectionConfig struct {
	// Source lets an address try 30 log-ins in 60 s, right or wrong, and locks it for 60 s then.
	Source LaneConfig
	// Identifier and Pair make a login string, and one from one address, wait after 10 failures in 15 min: 1 s, and
	// twice as long after each further one, 15 min at most.
	Identifier, Pair LaneConfig
	// Device does the same for a device that somebody has logged in from, which nothing else holds up. Off: no device is
	// known.
	Device LaneConfig
	// DeviceRate lets such a device log in 30 times in 60 s, right or wrong.
	DeviceRate LaneConfig
	// FirstWait is the wait after the failure that fills Identifier, Pair or Device, MaxWait the longest; 0 means 1 s and 15 min.
	FirstWait, MaxWait time.Duration
	// CaptchaAfter is how many failures of a login string from an address ask for a captcha; 0 means 3, a negative number
	// never.
	CaptchaAfter int
	// CloseAfter is how many wrong passwords in a row close that of an account until it is reset; 0 means 100, a negative
	// number never.
	CloseAfter int
	// DeviceTTL is how long a device is known after its last log-in, DevicesPerUser how many a user may have; 0 means 90
	// days and 10.
	DeviceTTL      time.Duration
	DevicesPerUser int
	// Registration lets an address register 20 times an hour.
	Registration LaneConfig
	// Mails lets 2 mails of a kind be asked for in 30 min, for one account and to one address. Changes of the e-mail
	// address and of the phone number are one kind; a code to the new number takes from Codes and CodePause too.
	Mails LaneConfig
	// Codes lets 5 codes be sent in 30 min, for one account and to one contact, and CodePause one in 30 s.
	Codes, CodePause LaneConfig
	// AskedMessages lets an address ask for 20 mails or SMS in 30 min without being logged in.
	AskedMessages LaneConfig
	// Target and TargetDaily let strangers have 20 messages sent to one address or number in an hour, and 60 in a day, of
	// all kinds together.
	Target, TargetDaily LaneConfig
	// ExistingAccounts lets the owner of an account be told once in 24 h that somebody tried to register with their contact,
	// or to change theirs to it.
	ExistingAccounts LaneConfig
	// Exports lets a user export their account 5 times in 24 h.
	Exports LaneConfig
	// UsernameChecks lets an address ask 30 times in 60 s whether a username is free.
	UsernameChecks LaneConfig
	// QuietTime is the least time of an answer to somebody who is not logged in and asks for a code, a link or contacts, or
	// tries a code: what more there is to do for an account that is there does not show in it. 0 means 25 ms, a negative
	// value none.
	QuietTime time.Duration
	// TrustedSources are networks (CIDR) whose addresses are not counted by Source.
	TrustedSources []string
}

// LaneConfig bounds one thing that is counted: Max in a Window that begins with the first.
type LaneConfig struct {
	// Off counts nothing.
	Off bool
	// Max is at least 1, Window 1 s to 24 h; 0 means what the lane's own comment says.
	Max    int
	Window time.Duration
}

// NotifyConfig is how messages look and by whom they are sent.
type NotifyConfig struct {
	// Mail sends mails; nil: none can be asked for.
	Mail notify.Sender
	// SMS sends SMS; nil: none can be asked for, and who has proved no e-mail address gets no notices.
	SMS notify.Sender
	// SupportURL is where people tell that something is wrong: notices name it. "" means that they name no place.
	SupportURL string
	// Templates override the built-in texts, file by file.
	Templates fs.FS
	// Vars are for the program's own templates: {{.Vars.City}}.
	Vars map[string]any
	// Language is that of users who chose none and whose browser asks for none; "" means "en".
	Language string
	// Links are the pages that messages lead to.
	Links LinksConfig
	// Off are kinds of messages that are not sent, of those that carry no link or code. On are kinds that are sent only
	// if they are named here: locked_out and banned.
	Off, On []string
	// Poll is how often the outbox is looked at; 0 means 2 s.
	Poll time.Duration
	// Batch is how many messages are claimed together, for the time of Lease, and Parallel how many of them are sent at
	// a time; 0 means 20, 5 min and 4.
	Batch    int
	Lease    time.Duration
	Parallel int
	// SendTimeout bounds one try; 0 means 20 s. MaxAttempts is how often a message is tried; 0 means 10.
	SendTimeout time.Duration
	MaxAttempts int
	// Drain is how long tries go on when Run is to end; 0 means 10 s.
	Drain time.Duration
	// Keep is how long messages are kept that were sent or became pointless, KeepDead how long those that could not be
	// sent, from when they were queued; 0 means 30 and 90 days.
	Keep, KeepDead time.Duration
}

// enabled reports whether messages of a kind are sent.
func (n NotifyConfig) enabled(kind string) bool {
	if notify.Optional(kind) {
		return slices.Contains(n.On, kind)
	}
	return !slices.Contains(n.Off, kind)
}

// LinksConfig are pages of the program: paths on the base URL, or whole URLs on one of Hosts. Each page reads its token
// from the fragment of the URL and posts it.
type LinksConfig struct {
	ConfirmEmail       string // "" means "/confirm"
	ResetPassword      string // "" means "/reset-password"
	SetPassword        string // "" means "/set-password"
	ConfirmEmailChange string // "" means "/confirm-email-change"
	CancelChange       string // "" means "/cancel-change"
	// Hosts are those beside the base URL's that pages may be on, such as "login.example.com".
	Hosts []string
}

// CallbacksConfig bounds hooks.
type CallbacksConfig struct {
	// OnTimeout bounds each On hook; 0 means 5 s.
	OnTimeout time.Duration
	// Publish is a channel of the cache on which other processes are told of each event once it is committed, as
	// {"event": "Create", "user_id": …, "at": …, "actor_kind": …}: no personal data. "" publishes nothing, and RevocationFeed is
	// refused.
	Publish string
}

// ManagementConfig is what administrators may be given, and how it is called.
type ManagementConfig struct {
	// KnownPermissions are those of the program that can be given to somebody, beside Roster's own; empty: any.
	KnownPermissions []string
	// Permissions rename Roster's own: {"users:ban": "moderation:ban"}. What asks for the former asks for the latter then.
	Permissions map[string]string
	// ExportHashes lets superusers export the hashes of passwords. The program itself always may.
	ExportHashes bool
}

// AuditConfig is how long the audit trail goes back.
type AuditConfig struct {
	// Keep is the age at which entries are deleted, a day at least; 0 means 400 days.
	Keep time.Duration
}

const day = 24 * time.Hour

// WithDefaults returns the settings with what was left out filled in.
func (s Settings) WithDefaults() Settings {
	fill := func(d *time.Duration, otherwise time.Duration) { *d = cmp.Or(*d, otherwise) }
	if len(s.Account.Backends) == 0 {
		s.Account.Backends = []roster.Backend{roster.PasswordBackend, roster.CodeBackend}
	}
	x := &s.Session
	x.Issuer, x.Audience = cmp.Or(x.Issuer, s.BaseURL), cmp.Or(x.Audience, s.BaseURL)
	x.Algorithm = cmp.Or(x.Algorithm, tokens.ES256)
	fill(&x.AccessTTL, 10*time.Minute)
	fill(&x.RefreshIdle, 14*day)
	fill(&x.RefreshAbsolute, 90*day)
	fill(&x.ShortIdle, 12*time.Hour)
	fill(&x.Grace, 10*time.Second)
	fill(&x.Leeway, 5*time.Second)
	fill(&x.FreshFor, 15*time.Minute)
	fill(&x.PollInterval, time.Second)
	fill(&x.MaxStaleness, 10*time.Second)
	fill(&x.Keep, 30*day)
	fill(&x.KeyLife, 90*day)
	x.MaxPerUser = cmp.Or(x.MaxPerUser, 10)
	x.OnLimit = cmp.Or(x.OnLimit, EvictOldest)
	s.Account.CloseMode = cmp.Or(s.Account.CloseMode, roster.Deactivate)
	fill(&s.Username.HoldFor, 90*day)
	s.Username.ChangeQuota.fill(5, day)
	fill(&s.Confirm.EmailTTL, day)
	fill(&s.Confirm.ChangeTTL, time.Hour)
	fill(&s.Confirm.RevertWindow, 72*time.Hour)
	fill(&s.Password.FirstTTL, day)
	fill(&s.Password.ResetTTL, time.Hour)
	s.Password.ResetForUnverified = cmp.Or(s.Password.ResetForUnverified, SendActivation)
	o := &s.OneTime
	o.EmailDigits, o.PhoneDigits = cmp.Or(o.EmailDigits, 6), cmp.Or(o.PhoneDigits, 6)
	o.EmailAlphabet = cmp.Or(o.EmailAlphabet, decimal)
	fill(&o.CodeTTL, 10*time.Minute)
	fill(&o.Expiration, 10*time.Minute)
	fill(&o.MaxLife, day)
	if o.KeyGenerator == nil {
		o.KeyGenerator = roster.Alphanumeric(20)
	}
	fill(&s.Callbacks.OnTimeout, 5*time.Second)
	fill(&s.Audit.Keep, 400*day)
	p := &s.Protection
	p.Source.fill(30, time.Minute)
	p.Identifier.fill(10, 15*time.Minute)
	p.Pair.fill(10, 15*time.Minute)
	p.Device.fill(10, 15*time.Minute)
	p.DeviceRate.fill(30, time.Minute)
	fill(&p.FirstWait, time.Second)
	fill(&p.QuietTime, 25*time.Millisecond)
	fill(&p.MaxWait, 15*time.Minute)
	p.CaptchaAfter = cmp.Or(p.CaptchaAfter, 3)
	p.CloseAfter = cmp.Or(p.CloseAfter, 100)
	fill(&p.DeviceTTL, 90*day)
	p.DevicesPerUser = cmp.Or(p.DevicesPerUser, 10)
	p.Registration.fill(20, time.Hour)
	p.Mails.fill(2, 30*time.Minute)
	p.Codes.fill(5, 30*time.Minute)
	p.CodePause.fill(1, 30*time.Second)
	p.AskedMessages.fill(20, 30*time.Minute)
	p.Target.fill(20, time.Hour)
	p.TargetDaily.fill(60, day)
	p.ExistingAccounts.fill(1, day)
	p.Exports.fill(5, day)
	p.UsernameChecks.fill(30, time.Minute)
	n := &s.Notify
	n.Language = cmp.Or(n.Language, "en")
	l := &n.Links
	l.ConfirmEmail = cmp.Or(l.ConfirmEmail, "/confirm")
	l.ResetPassword = cmp.Or(l.ResetPassword, "/reset-password")
	l.SetPassword = cmp.Or(l.SetPassword, "/set-password")
	l.ConfirmEmailChange = cmp.Or(l.ConfirmEmailChange, "/confirm-email-change")
	l.CancelChange = cmp.Or(l.CancelChange, "/cancel-change")
	n.Batch, n.Parallel, n.MaxAttempts = cmp.Or(n.Batch, 20), cmp.Or(n.Parallel, 4), cmp.Or(n.MaxAttempts, 10)
	fill(&n.Poll, 2*time.Second)
	fill(&n.Lease, 5*time.Minute)
	fill(&n.SendTimeout, 20*time.Second)
	fill(&n.Drain, 10*time.Second)
	fill(&n.Keep, 30*day)
	fill(&n.KeepDead, 90*day)
	return s
}

func (l *LaneConfig) fill(most int, window time.Duration) {
	l.Max, l.Window = cmp.Or(l.Max, most), cmp.Or(l.Window, window)
}
