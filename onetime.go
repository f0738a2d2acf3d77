package roster

import "time"

// CodePurpose tells what a code is good for that is sent to a contact. It is good for nothing else.
type CodePurpose string

// The purposes of codes.
const (
	CodeVerify CodePurpose = "verify" // proves the contact that it was sent to
	CodeReset  CodePurpose = "reset"  // gives a token that resets the password
)

// CodeResult is what a right code comes to.
type CodeResult struct {
	// ResetToken is for ResetPassword, after a code to reset the password; it is good for ExpiresIn.
	ResetToken Secret
	ExpiresIn  time.Duration
}
