package mixins

import (
	"strings"
	"unicode/utf8"

	"github.com/mileusna/useragent"
)

// maxDevice is the longest name of a client program that is shown to people, in characters.
const maxDevice = 32

// deviceOf names for people what a session is used from, by what the client says of itself: "Firefox on Linux". "" is what
// nobody can read.
func deviceOf(userAgent string) string {
	agent := useragent.Parse(userAgent)
	place := agent.OS
	if place == useragent.IOS {
		place = agent.Device // iPhone or iPad; those of others are what the client likes
	}
	switch {
	case !isProgram(agent.Name) || agent.Name == place:
		return place
	case place == "":
		return agent.Name
	}
	return agent.Name + " on " + place
}

// isProgram reports whether a text can be shown as a program's name: nothing that looks like an address or changes the direction of
// what comes after it.
func isProgram(name string) bool {
	if name == "" || name != strings.TrimSpace(name) || utf8.RuneCountInString(name) > maxDevice {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(" -_", r)
	})
}
