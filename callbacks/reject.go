package callbacks

import (
	"regexp"
	"slices"

	"github.com/roster-go/roster"
)

// RejectionError is an error by which a hook refuses with a code of its own. errors.As finds the *roster.Error in it,
// also when it was wrapped.
type RejectionError struct{ err roster.Error }

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Reject returns a rejection with the status 403. The code is in snake_case, at most 64 characters; any other is
// told as forbidden.
func Reject(code roster.Code) *RejectionError {
	if !codeForm.MatchString(string(code)) {
		code = roster.CodeForbidden
	}
	return &RejectionError{roster.Error{Code: code, Status: defaultStatus}}
}

const defaultStatus = 403

// Field names the field of the input that is refused, by its JSON name.
func (r *RejectionError) Field(name string) *RejectionError {
	fault := roster.FieldError{Field: name, Code: roster.FieldCode(r.err.Code)}
	return &RejectionError{*r.err.WithFields(append(slices.Clip(r.err.Fields), fault)...)}
}

// Status sets the HTTP status, 400 to 499; any other becomes 403.
func (r *RejectionError) Status(status int) *RejectionError {
	if status < 400 || status > 499 {
		status = defaultStatus
	}
	c := *r
	c.err.Status = status
	return &c
}

// Message explains the refusal to the client.
func (r *RejectionError) Message(text string) *RejectionError {
	c := *r
	c.err.Message = text
	return &c
}

// Error implements error.
func (r *RejectionError) Error() string { return r.err.Error() }

// Unwrap returns the *roster.Error.
func (r *RejectionError) Unwrap() error { return &r.err }
