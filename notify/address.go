package notify

import (
	"errors"
	"net/mail"
	"strings"
)

// checkAddress refuses what is not exactly one address of the channel: line breaks, lists, display names. The error
// does not repeat it.
func checkAddress(channel Channel, to string) error {
	if to == "" || oneLine(to) != to {
		return errors.New("the recipient is not one line of text")
	}
	if channel != Email {
		return nil
	}
	a, err := mail.ParseAddress(to)
	if err != nil || a.Name != "" || a.Address != to {
		return errors.New("the recipient is not one e-mail address")
	}
	return nil
}

// domainOf returns what follows the last @.
func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
