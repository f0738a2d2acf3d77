package identifiers

import (
	"time"

	"golang.org/x/text/language"
)

// Language returns the canonical form of a language tag (BCP 47), such as "de-AT", and false when tag is none.
func Language(tag string) (string, bool) {
	if len(tag) > 35 { // what RFC 5646, section 4.4.1, asks implementations to hold at least
		return "", false
	}
	t, err := language.Parse(tag)
	if err != nil || t == language.Und {
		return "", false
	}
	return t.String(), true
}

// TimeZone reports whether name is a zone of the IANA database that this program can load, such as "Europe/Vienna".
func TimeZone(name string) bool {
	if name == "" || name == "Local" || len(name) > 64 {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
