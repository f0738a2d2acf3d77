// Package rostertest is what tests of programs that embed Roster use, Roster's own among them: fresh databases of each
// kind, a clock that tests move, a mailbox, hashing that costs nothing, and a recorder of events.
package rostertest
