package roster

import "time"

// CodePurpose tells what a code is good for that is sent to a contact. It is good for nothing else.
type CodePurpose string

// The purposes of codes.
const (
	CodeVerify CodePurpose = "verify"  // proves the contact that it was sent to
	CodeLogin  CodePurpose = "login"   // logs in, in place of the password
	CodeReset  CodePurpose = "reset"   // gives a token that resets the password
	CodeStepUp CodePurpose = "step-up" // makes the session fresh: see CheckFresh
)

// CodeKind is a purpose of codes that are sent by a channel.
type CodeKind struct {
	Channel Channel
	Purpose CodePurpose
}

// CodeResult is what a right code comes to, by its purpose.
type CodeResult struct {
	// ResetToken is for ResetPassword, after a code to reset the password; it is good for ExpiresIn.
	ResetToken Secret
	ExpiresIn  time.Duration
	// FreshUntil is how long the session is fresh, after a code to step up.
	FreshUntil time.Time
}

// CodeOutcome is what a right code comes to for somebody who is not logged in: after one to log in the session too.
type CodeOutcome[U Model] struct {
	CodeResult
	Login *Login[U]
}

// ContactRef names a contact of an account to somebody who is not logged in: by the handle that FindContacts gave, or
// by a username, e-mail address or phone number of the account and the channel.
type ContactRef struct {
	Handle *Secret
	Login  *string
	// Channel goes with Login. "": where the code was sent last when one is checked, and when one is to be sent the
	// address or number that Login is, the address for a username.
	Channel Channel
}

// MaskedContact is a contact as somebody sees it who is not logged in.
type MaskedContact struct {
	Channel Channel
	Masked  string // "an**@ex*****.***"
	// Handle names it to SendCode, CheckCode and Login, for 15 minutes.
	Handle Secret
}
