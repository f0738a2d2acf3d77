package roster

import (
	"encoding/json"
	"fmt"
	"time"
)

// OTP is a one-time password for a purpose of the program's own, which its slug names.
type OTP struct {
	ID   ID
	Slug string
	// SecretKey is what people type or follow. CreateOTP alone tells it: it is stored nowhere.
	SecretKey Secret
	// Related are the objects that it is about, sorted.
	Related []OTPObject
	// Data is what OTPData gave it, as JSON; nil without any. FindOTP leaves it out.
	Data      json.RawMessage
	CreatedAt time.Time
	// ExpiresAt is the first moment at which it is good for nothing.
	ExpiresAt time.Time
	// Active says that it can be used; false on what UseOTP returns.
	Active bool
	// Failures are the wrong keys that were tried on it, MaxAttempts how many make it good for nothing.
	Failures, MaxAttempts int
}

// OTPUserKind is the kind of related objects that are users, by their id. Removing a user removes the one-time passwords
// that are related to them.
const OTPUserKind = "user"

// OTPObject is something that a one-time password is related to.
type OTPObject struct {
	// Kind is 1 to 64 of a–z, 0–9, ".", "_" and "-"; that of users is OTPUserKind.
	Kind string
	// ID tells objects of a kind apart: 1 to 255 bytes of UTF-8, compared exactly.
	ID string
}

// OTPRelated relates a one-time password to an object, or asks for one that is. Given several times it means all of them.
func OTPRelated(kind, id string) OTPObject { return OTPObject{Kind: kind, ID: id} }

// OTPOwner is OTPRelated to a user.
func OTPOwner(id ID) OTPObject { return OTPRelated(OTPUserKind, id.String()) }

// OTPOption says what CreateOTP makes.
type OTPOption interface{ applyToOTP(*OTPOptions) }

// OTPOptions is what the options of a CreateOTP come to; overrides of it read them by OTPOptionsOf.
type OTPOptions struct {
	Related       []OTPObject
	Data          any
	HasData       bool
	Generate      OTPKeyFunc
	Expiration    *time.Duration
	MaxAttempts   *int
	DeactivateOld bool
	AllOwners     bool
}

// OTPOptionsOf applies options to the zero OTPOptions.
func OTPOptionsOf(options ...OTPOption) OTPOptions {
	var o OTPOptions
	for _, option := range options {
		option.applyToOTP(&o)
	}
	return o
}

type otpOption func(*OTPOptions)

func (f otpOption) applyToOTP(o *OTPOptions) { f(o) }

func (x OTPObject) applyToOTP(o *OTPOptions) { o.Related = append(o.Related, x) }

// OTPData keeps a value with the one-time password, as JSON of 8 KiB at most. It is not secret: it is stored in clear.
func OTPData(value any) OTPOption {
	return otpOption(func(o *OTPOptions) { o.Data, o.HasData = value, true })
}

// OTPKeyGenerator makes the key otherwise than OneTime.KeyGenerator.
func OTPKeyGenerator(generate OTPKeyFunc) OTPOption {
	return otpOption(func(o *OTPOptions) { o.Generate = generate })
}

// OTPExpiration is the life of the one-time password, more than 0 and at most OneTime.MaxLife; without it
// OneTime.Expiration.
func OTPExpiration(life time.Duration) OTPOption {
	return otpOption(func(o *OTPOptions) { o.Expiration = &life })
}

// OTPMaxAttempts is how many wrong keys make the one-time password good for nothing, 1 to 1,000; without it 5.
func OTPMaxAttempts(n int) OTPOption {
	return otpOption(func(o *OTPOptions) { o.MaxAttempts = &n })
}

// OTPDeactivateOld switches off those of the same slug that are related to all the objects given.
func OTPDeactivateOld() OTPOption {
	return otpOption(func(o *OTPOptions) { o.DeactivateOld = true })
}

// OTPAllOwners has OTPDeactivateOld switch off all of the slug, whatever they are related to.
func OTPAllOwners() OTPOption {
	return otpOption(func(o *OTPOptions) { o.AllOwners = true })
}

// OTPMatch says which one-time passwords of a slug DeactivateOTP switches off.
type OTPMatch interface{ applyToMatch(*OTPMatches) }

// OTPMatches is what all of them come to; overrides of DeactivateOTP read them by OTPMatchesOf.
type OTPMatches struct {
	Key     *Secret
	Related []OTPObject
}

// OTPMatchesOf applies all to the zero OTPMatches.
func OTPMatchesOf(matches ...OTPMatch) OTPMatches {
	var m OTPMatches
	for _, match := range matches {
		match.applyToMatch(&m)
	}
	return m
}

type otpMatch func(*OTPMatches)

func (f otpMatch) applyToMatch(m *OTPMatches) { f(m) }

func (x OTPObject) applyToMatch(m *OTPMatches) { m.Related = append(m.Related, x) }

// OTPKey asks for the one with a key; "" is no key, and asks for none.
func OTPKey(key Secret) OTPMatch {
	return otpMatch(func(m *OTPMatches) { m.Key = &key })
}

// TimeoutError tells that wrong keys were tried, so that even the right one has to wait. It is inside an *Error of the
// code too_many_requests, whose RetryAfter is the rest of the wait.
type TimeoutError struct {
	// Until is when a key is looked at again: at this very moment it is.
	Until time.Time
	// Failures are those that led to the wait.
	Failures int
}

// Error implements error.
func (e TimeoutError) Error() string {
	return fmt.Sprintf("%d failures, wait until %s", e.Failures, e.Until.Format(time.RFC3339))
}

// Is reports whether target is an *Error of the code too_many_requests.
func (e TimeoutError) Is(target error) bool { return ErrTooManyRequests.Is(target) }
