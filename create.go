package roster

import "time"

// CreateOption asks Create for something beside storing the user.
type CreateOption interface{ applyToCreate(*CreateOptions) }

// CreateOptions is what the options of a Create come to; overrides of Create read them by CreateOptionsOf.
type CreateOptions struct {
	Password      *Secret
	PasswordHash  *Secret
	Policy        bool
	EmailVerified bool
	PhoneVerified bool
	Permissions   []string
	Superuser     *bool
	CreatedAt     time.Time
	Confirmation  bool
	Invitation    bool
	AllowReserved bool
	Via           Via
	Captcha       string
	Faults        FieldErrors
}

// CreateOptionsOf applies options to the zero CreateOptions.
func CreateOptionsOf(options ...CreateOption) CreateOptions {
	var o CreateOptions
	for _, option := range options {
		option.applyToCreate(&o)
	}
	return o
}

type createOption func(*CreateOptions)

func (f createOption) applyToCreate(o *CreateOptions) { f(o) }

// WithPassword gives the user a password. The hard limits hold (UTF-8, no U+0000, at most 1,024 code points);
// the policy only together with WithPasswordPolicy.
func WithPassword(password Secret) CreateOption {
	return createOption(func(o *CreateOptions) { o.Password = &password })
}

// WithPasswordPolicy holds the password to the policy that people's own passwords must meet.
func WithPasswordPolicy() CreateOption {
	return createOption(func(o *CreateOptions) { o.Policy = true })
}

// WithPasswordHash stores a hash made elsewhere; it is replaced by one of our own at the first log-in. An empty
// one, or one that starts with "!", means no password.
func WithPasswordHash(encoded Secret) CreateOption {
	return createOption(func(o *CreateOptions) { o.PasswordHash = &encoded })
}

// WithEmailVerified marks the e-mail address as proven now.
func WithEmailVerified() CreateOption {
	return createOption(func(o *CreateOptions) { o.EmailVerified = true })
}

// WithPhoneVerified marks the phone number as proven now.
func WithPhoneVerified() CreateOption {
	return createOption(func(o *CreateOptions) { o.PhoneVerified = true })
}

// WithPermissions grants permissions.
func WithPermissions(names ...string) CreateOption {
	return createOption(func(o *CreateOptions) { o.Permissions = append([]string{}, names...) })
}

// WithSuperuser makes the user a superuser, or says plainly that it is none.
func WithSuperuser(superuser bool) CreateOption {
	return createOption(func(o *CreateOptions) { o.Superuser = &superuser })
}

// WithCreatedAt sets when the user was made, for imports.
func WithCreatedAt(t time.Time) CreateOption {
	return createOption(func(o *CreateOptions) { o.CreatedAt = t })
}

// WithConfirmation mails a link that proves the e-mail address; to a user without one it sends a code by SMS that proves the
// phone number.
func WithConfirmation() CreateOption {
	return createOption(func(o *CreateOptions) { o.Confirmation = true })
}

// WithInvitation mails a link by which the user sets a first password.
func WithInvitation() CreateOption {
	return createOption(func(o *CreateOptions) { o.Invitation = true })
}

// WithVia says by which way the user comes; the hooks are told.
func WithVia(via Via) CreateOption {
	return createOption(func(o *CreateOptions) { o.Via = via })
}

// RegisterOption asks Register for something beside making the account.
type RegisterOption interface{ applyToRegister(*RegisterOptions) }

// RegisterOptions is what the options of a Register come to; overrides of Register read them by RegisterOptionsOf.
type RegisterOptions struct {
	WithoutPassword bool
	Remember        *bool
	Captcha         string
	DeviceToken     *Secret
	Client          string
	Faults          FieldErrors
}

// RegisterOptionsOf applies options to the zero RegisterOptions.
func RegisterOptionsOf(options ...RegisterOption) RegisterOptions {
	var o RegisterOptions
	for _, option := range options {
		option.applyToRegister(&o)
	}
	return o
}

type registerOption func(*RegisterOptions)

func (f registerOption) applyToRegister(o *RegisterOptions) { f(o) }

// WithoutPassword says that no password was given at all, which is another thing than an empty one.
func WithoutPassword() RegisterOption {
	return registerOption(func(o *RegisterOptions) { o.WithoutPassword = true })
}

// LoginOption asks CheckCode for something beside the log-in that a code leads to.
type LoginOption interface{ applyToLogin(*LoginOptions) }

// LoginOptions is what the options of a log-in come to.
type LoginOptions struct {
	Remember    *bool
	Captcha     string
	DeviceToken *Secret
	Client      string
}

// LoginOptionsOf applies options to the zero LoginOptions.
func LoginOptionsOf(options ...LoginOption) LoginOptions {
	var o LoginOptions
	for _, option := range options {
		option.applyToLogin(&o)
	}
	return o
}

type loginOption func(*LoginOptions)

func (f loginOption) applyToLogin(o *LoginOptions) { f(o) }

// EntryOption is an option of Register and of CheckCode.
type EntryOption interface {
	RegisterOption
	LoginOption
}

type entryOption struct {
	registerOption
	loginOption
}

// WithRemember false keeps the session short: it ends 12 hours after its last use.
func WithRemember(remember bool) EntryOption {
	return entryOption{
		func(o *RegisterOptions) { o.Remember = &remember },
		func(o *LoginOptions) { o.Remember = &remember },
	}
}

// WithDevice names the device by what an earlier log-in from it has returned.
func WithDevice(token Secret) EntryOption {
	return entryOption{
		func(o *RegisterOptions) { o.DeviceToken = &token },
		func(o *LoginOptions) { o.DeviceToken = &token },
	}
}

// WithClient is what the client program calls itself, for profiles (Config.Session.Profiles).
func WithClient(name string) EntryOption {
	return entryOption{
		func(o *RegisterOptions) { o.Client = name },
		func(o *LoginOptions) { o.Client = name },
	}
}

// SignupOption is an option of Create and of Register.
type SignupOption interface {
	CreateOption
	RegisterOption
}

type signupOption struct {
	createOption
	registerOption
}

// CaptchaOption is an option of all that a person may have to prove to be human for.
type CaptchaOption interface {
	SignupOption
	LoginOption
}

type captchaOption struct {
	createOption
	registerOption
	loginOption
}

// WithCaptcha hands the hooks what the client sent as proof of being human, unread.
func WithCaptcha(captcha string) CaptchaOption {
	return captchaOption{
		func(o *CreateOptions) { o.Captcha = captcha },
		func(o *RegisterOptions) { o.Captcha = captcha },
		func(o *LoginOptions) { o.Captcha = captcha },
	}
}

// WithFaults adds faults that were found before, while decoding, to those that the operation finds, so that all
// are told at once. With any, nothing is stored.
func WithFaults(faults FieldErrors) SignupOption {
	return signupOption{
		func(o *CreateOptions) { o.Faults = append(o.Faults, faults...) },
		func(o *RegisterOptions) { o.Faults = append(o.Faults, faults...) },
	}
}

// UpdateOption asks Update for something beside the change.
type UpdateOption interface{ applyToUpdate(*UpdateOptions) }

// UpdateOptions is what the options of an Update come to; overrides of Update read them by UpdateOptionsOf.
type UpdateOptions struct {
	Version *int64
}

// UpdateOptionsOf applies options to the zero UpdateOptions.
func UpdateOptionsOf(options ...UpdateOption) UpdateOptions {
	var o UpdateOptions
	for _, option := range options {
		option.applyToUpdate(&o)
	}
	return o
}

type updateOption func(*UpdateOptions)

func (f updateOption) applyToUpdate(o *UpdateOptions) { f(o) }

// IfVersion makes the change only while the user has this version, and is ErrVersionMismatch otherwise.
func IfVersion(version int64) UpdateOption {
	return updateOption(func(o *UpdateOptions) { o.Version = &version })
}

// SocialAccount links a user with an account at another provider.
type SocialAccount struct {
	Provider string         `json:"provider"` // 1 to 64 of a-z, 0-9, "_" and "-"
	Subject  string         `json:"subject"`  // the provider's id of the person, as text, 1 to 255 bytes
	Data     map[string]any `json:"data,omitempty"`
	LinkedAt time.Time      `json:"linked_at"`
}
