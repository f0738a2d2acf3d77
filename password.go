package roster

// PasswordKind tells how a password came to be.
type PasswordKind string

// The kinds of passwords that are stored.
const (
	PasswordCreated PasswordKind = "created" // with the user
	PasswordFirst   PasswordKind = "first"   // by a first-password link
)
