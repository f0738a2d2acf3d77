package roster

// UsernameReason tells why a username cannot be had.
type UsernameReason string

// The reasons.
const (
	UsernameFree     UsernameReason = ""
	UsernameInvalid  UsernameReason = "invalid"
	UsernameReserved UsernameReason = "reserved"
	UsernameTaken    UsernameReason = "taken" // by another user, or held for one
)

// UsernameStatus answers whether a username could be had at the time of asking. It reserves nothing.
type UsernameStatus struct {
	Name      string // as it would be stored; an invalid one as it was given
	Canonical string // as it is compared; "" for an invalid one
	Available bool
	Reason    UsernameReason
	Problems  []FieldCode // all that is wrong with an invalid one
}

// UsernameOption asks ChangeUsername for something beside the change.
type UsernameOption interface{ applyToUsername(*UsernameOptions) }

// UsernameOptions is what the options of a ChangeUsername come to; overrides of it read them by UsernameOptionsOf.
type UsernameOptions struct {
	IgnoreHold    bool
	AllowReserved bool
}

// UsernameOptionsOf applies options to the zero UsernameOptions.
func UsernameOptionsOf(options ...UsernameOption) UsernameOptions {
	var o UsernameOptions
	for _, option := range options {
		option.applyToUsername(&o)
	}
	return o
}

type usernameOption func(*UsernameOptions)

func (f usernameOption) applyToUsername(o *UsernameOptions) { f(o) }

// IgnoreHold gives away a username that is held for its former owner. It is not for people's own changes.
func IgnoreHold() UsernameOption {
	return usernameOption(func(o *UsernameOptions) { o.IgnoreHold = true })
}

// ReservedOption is an option of Create and of ChangeUsername.
type ReservedOption interface {
	CreateOption
	UsernameOption
}

type reservedOption struct {
	createOption
	usernameOption
}

// AllowReserved lets the username be one of the reserved names. It is not for people's own changes.
func AllowReserved() ReservedOption {
	return reservedOption{
		func(o *CreateOptions) { o.AllowReserved = true },
		func(o *UsernameOptions) { o.AllowReserved = true },
	}
}
