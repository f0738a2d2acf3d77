package mixins

import "github.com/roster-go/roster"

// Username is the component that checks and changes usernames.
type Username[U roster.Model] struct{}
