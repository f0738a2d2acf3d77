package roster

import "reflect"

// Field describes one member of a user as clients see it: of the base user or of the program's own struct.
type Field struct {
	Name   string       // in JSON
	Column string       // in the users table
	Type   reflect.Type // in Go
	Custom bool         // the program's own

	// The words of the roster tag.
	Create bool // may be given at registration
	Update bool // users may change it
	Admin  bool // administrators may change it
	Filter bool // lists can be filtered by it
	Sort   bool // lists can be sorted by it
	Search bool // full-text search looks into it
	Keep   bool // survives anonymising
}

// WritableBy reports whether w may write the field. Administrators may write all that users may.
func (f Field) WritableBy(w Writer) bool {
	switch w {
	case WriterSignup:
		return f.Create
	case WriterSelf:
		return f.Update
	case WriterAdmin:
		return f.Create || f.Update || f.Admin
	}
	return false
}

// Writer is who writes a user's fields from a JSON document.
type Writer string

// The writers.
const (
	WriterSignup Writer = "signup" // a person who registers
	WriterSelf   Writer = "self"   // a user who changes their own account
	WriterAdmin  Writer = "admin"  // an administrator
)
