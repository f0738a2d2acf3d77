package callbacks

import (
	"regexp"

	"github.com/roster-go/roster"
)

// Rejection is an error by which a hook refuses with a code of its own. errors.As finds the *roster.Error in it,
// also when it was wrapped.
type Rejection struct{ err roster.Error }

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Reject returns a rejection with the status 403. The code is in snake_case, at most 64 characters; any other is
// told as forbidden.
func Reject(code roster.Code) *Rejection {
	if !codeForm.MatchString(string(code)) {
		code = roster.CodeForbidden
	}
	return &Rejection{roster.Error{Code: code, Status: defaultStatus}}
}

const defaultStatus = 403

// Field names the field of the input that is refused, by its JSON name.
func (r *Rejection) Field(name string) *Rejection {
	c := *r
	c.err.Fields = append(c.err.Fields[:len(c.err.Fields):len(c.err.Fields)],
		roster.FieldError{Field: name, Code: roster.FieldCode(r.err.Code)})
	return &c
}

// Status sets the HTTP status, 400 to 499; any other becomes 403.
func (r *Rejection) Status(status int) *Rejection {
	if status < 400 || status > 499 {
		status = defaultStatus
	}
	c := *r
	c.err.Status = status
	return &c
}

// Message explains the refusal to the client.
func (r *Rejection) Message(text string) *Rejection {
	c := *r
	c.err.Message = text
	return &c
}

// Error implements error.
func (r *Rejection) Error() string { return r.err.Error() }

// Unwrap returns the *roster.Error.
func (r *Rejection) Unwrap() error { return &r.err }
