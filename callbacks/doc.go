// Package callbacks is how a program takes part in what happens to its users: events, the points at which
// functions are added, and the hooks that a program may define on its own type.
//
// An event has up to three phases. Before runs in the transaction, before validation: an error vetoes. Identifiers
// are as typed there, with their capitals and spaces. After runs in the transaction, with the rows written: an error
// rolls all of it back. On runs after the commit: it cannot change the result. The program's own method runs first in
// Before and last in After and On; added functions run in the order in which they were added.
package callbacks
