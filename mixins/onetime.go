package mixins

import "github.com/roster-go/roster"

// OneTime is the component of one-time passwords.
type OneTime[U roster.Model] struct{}
