package callbacks

import (
	"fmt"

	"github.com/roster-go/roster"
)

// PanicError is a panic of a hook, told as an error that is roster.ErrHookPanic.
type PanicError struct {
	Hook  string
	Value any
	Stack string // for the log
}

// Error implements error.
func (p *PanicError) Error() string {
	return fmt.Sprintf("%s: %v: %v", p.Hook, roster.ErrHookPanic, p.Value)
}

// Unwrap returns roster.ErrHookPanic.
func (p *PanicError) Unwrap() error { return roster.ErrHookPanic }
