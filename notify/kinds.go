package notify

import (
	"maps"
	"slices"
)

// The kinds of messages. Each has a directory of templates by its name. A notice goes by mail, or by SMS to who has
// proved no e-mail address.
const (
	EmailConfirm      = "email_confirm"       // carries the link that proves an e-mail address
	EmailConfirmAgain = "email_confirm_again" // the same, asked for anew
	EmailChangeNew    = "email_change_new"    // to the new address, with the link that proves it
	EmailChangeOld    = "email_change_old"    // to the old address, with the link that cancels; Data.New
	EmailChanged      = "email_changed"       // to the old address; Data.New is the new one
	ContactRemoved    = "contact_removed"     // to the removed contact, which is Data.Old
	PasswordReset     = "password_reset"      // carries the link by which a new password is set
	PasswordFirst     = "password_first"      // carries the link by which a first password is set
	PasswordChanged   = "password_changed"
	AccountExists     = "account_exists" // to the owner of a contact that somebody else tried to use
	CodeEmail         = "code_email"     // Data.Code, Data.Purpose
	CodeSMS           = "code_sms"       // Data.Code, Data.Purpose
	PhoneConfirm      = "phone_confirm"  // Data.Code, which proves a phone number
	PhoneChangeOld    = "phone_change_old"
	PhoneChanged      = "phone_changed"     // Data.New
	UsernameChanged   = "username_changed"  // Data.Old, Data.New
	SocialLinked      = "social_linked"     // Data.Provider
	SocialUnlinked    = "social_unlinked"   // Data.Provider
	SuperuserChanged  = "superuser_changed" // Data.Purpose; Data.New is another account, "" the own
	TokenReuse        = "token_reuse"
	NewDevice         = "new_device"
	LockedOut         = "locked_out"
	PasswordClosed    = "password_closed" // carries a link like PasswordReset; by SMS a code
	Banned            = "banned"          // Data.Reason, Data.Until
	Archived          = "archived"
	Closed            = "closed"
)

// The purposes that templates know: those of codes, and what was done with the rights of a superuser.
const (
	ToVerify = "verify"
	ToLogin  = "login"
	ToReset  = "reset"
	ToStepUp = "step-up"
	ToChange = "change"
	Granted  = "granted"
	Revoked  = "revoked"
)

// traits are what is special about a kind.
type traits struct {
	channels  []Channel
	secret    bool // it carries a link or code
	strangers bool // it goes to an address that somebody typed and nobody proved
	optional  bool // it is off unless the program asks for it
}

var (
	mailOnly = []Channel{Email}
	smsOnly  = []Channel{SMS}
	either   = []Channel{Email, SMS}
	notice   = traits{channels: either}
)

var traitsOf = map[string]traits{
	EmailConfirm:      {channels: mailOnly, secret: true, strangers: true},
	EmailConfirmAgain: {channels: mailOnly, secret: true, strangers: true},
	EmailChangeNew:    {channels: mailOnly, secret: true, strangers: true},
	EmailChangeOld:    {channels: either, secret: true},
	EmailChanged:      notice,
	ContactRemoved:    notice,
	PasswordReset:     {channels: mailOnly, secret: true, strangers: true},
	PasswordFirst:     {channels: mailOnly, secret: true, strangers: true},
	PasswordChanged:   notice,
	AccountExists:     {channels: either, strangers: true},
	CodeEmail:         {channels: mailOnly, secret: true, strangers: true},
	CodeSMS:           {channels: smsOnly, secret: true, strangers: true},
	PhoneConfirm:      {channels: smsOnly, secret: true, strangers: true},
	PhoneChangeOld:    {channels: either, secret: true},
	PhoneChanged:      notice,
	UsernameChanged:   notice,
	SocialLinked:      notice,
	SocialUnlinked:    notice,
	SuperuserChanged:  notice,
	TokenReuse:        notice,
	NewDevice:         notice,
	LockedOut:         {channels: either, optional: true},
	PasswordClosed:    {channels: either, secret: true},
	Banned:            {channels: either, optional: true},
	Archived:          notice,
	Closed:            notice,
}

// Kinds returns all kinds, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(traitsOf)) }

// CarriesSecret reports whether a kind carries a link or a code. It cannot be switched off.
func CarriesSecret(kind string) bool { return traitsOf[kind].secret }

// Optional reports whether a kind is off unless the program asks for it.
func Optional(kind string) bool { return traitsOf[kind].optional }

// GoesBy reports whether a kind has texts for a channel.
func GoesBy(kind string, channel Channel) bool {
	return slices.Contains(traitsOf[kind].channels, channel)
}

// toStrangers reports whether a kind goes to an address that somebody typed and nobody proved. A name in it is not
// to become a link: registering with a name and a victim's address would send the victim anything.
func toStrangers(kind string) bool { return traitsOf[kind].strangers }
