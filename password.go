package roster

import "time"

// PasswordKind tells how a password came to be.
type PasswordKind string

// The kinds of passwords that are stored.
const (
	PasswordCreated PasswordKind = "created" // with the user
	PasswordFirst   PasswordKind = "first"   // by a first-password link
	PasswordSet     PasswordKind = "set"     // where there was none, or over another by trusted code
	PasswordChanged PasswordKind = "change"  // by the old one
	PasswordReset   PasswordKind = "reset"   // by a reset link
)

// PasswordState tells what a user can do about their password.
type PasswordState string

// The states.
const (
	PasswordToSet    PasswordState = "set"    // there is none: SetPassword
	PasswordToChange PasswordState = "change" // there is one: ChangePassword
)

// PasswordStatus tells whether a user has a password, and since when.
type PasswordStatus struct {
	Status    PasswordState `json:"status"`
	ChangedAt *time.Time    `json:"changed_at"` // nil when there is none
}

// PasswordOption asks SetPassword for something special. The options are for Go code and the command line.
type PasswordOption interface{ applyToPassword(*PasswordOptions) }

// PasswordOptions is what the options of a SetPassword come to; overrides of it read them by PasswordOptionsOf.
type PasswordOptions struct {
	Replace    bool
	SkipPolicy bool
}

// PasswordOptionsOf applies options to the zero PasswordOptions.
func PasswordOptionsOf(options ...PasswordOption) PasswordOptions {
	var o PasswordOptions
	for _, option := range options {
		option.applyToPassword(&o)
	}
	return o
}

type passwordOption func(*PasswordOptions)

func (f passwordOption) applyToPassword(o *PasswordOptions) { f(o) }

// ReplacePassword sets the password also of a user who has one.
func ReplacePassword() PasswordOption {
	return passwordOption(func(o *PasswordOptions) { o.Replace = true })
}

// SkipPasswordPolicy leaves of the policy only the hard limits: UTF-8, no U+0000, at most 1,024 code points.
func SkipPasswordPolicy() PasswordOption {
	return passwordOption(func(o *PasswordOptions) { o.SkipPolicy = true })
}

// Channel is a way by which messages reach a user.
type Channel string

// The channels. The empty one leaves it to what the user has.
const (
	ChannelEmail Channel = "email"
	ChannelPhone Channel = "phone"
)
