package roster

// CodePurpose tells what a code is good for that is sent to a contact. It is good for nothing else.
type CodePurpose string

// The purposes of codes.
const (
	CodeVerify CodePurpose = "verify" // proves the contact that it was sent to
)
