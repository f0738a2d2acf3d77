package roster

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
