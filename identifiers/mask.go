package identifiers

import (
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/publicsuffix"

	"github.com/roster-go/roster"
)

// PhoneFormat is a way to write a phone number.
type PhoneFormat int

// The formats of phone numbers.
const (
	E164          PhoneFormat = iota // +12025550134
	International                    // +1 202-555-0134
	National                         // (202) 555-0134
	RFC3966                          // tel:+1-202-555-0134
)

// Mask hides most of an identifier, for lists and logs. What is not valid as its kind is hidden whole, as "***":
// people type passwords into the wrong field. For a log-in as typed, mask its CounterKey.
func Mask(kind Kind, stored string) string {
	var masked string
	var err error
	switch kind {
	case KindUsername:
		id, faults := anyUsername().parse(stored)
		if len(faults) > 0 {
			break
		}
		masked = MaskText(id.Stored)
	case KindEmail:
		masked, err = MaskEmail(stored)
	case KindPhone:
		masked, err = MaskPhone(stored, E164)
	}
	if err != nil || masked == "" {
		return "***"
	}
	return masked
}

// MaskEmail hides most of an e-mail address: of the local part and of each label of the domain at most the first
// two code points stay, of the public suffix (publicsuffix.org) only the dots. The domain is shown in Unicode. What
// is not an address is ErrInvalidInput.
func MaskEmail(address string) (string, error) {
	return maskEmail(address, domains.ToUnicode)
}

// MaskEmailASCII is MaskEmail with the domain as DNS spells it.
func MaskEmailASCII(address string) (string, error) {
	return maskEmail(address, func(host string) (string, error) { return host, nil })
}

func maskEmail(address string, show func(host string) (string, error)) (string, error) {
	id, faults := emailRules{utf8Local: true, localDomains: true}.parse(address)
	if len(faults) > 0 {
		return "", roster.ErrInvalidInput.WithMessage("mask e-mail address: not an address")
	}
	local, host, _ := strings.Cut(id.Stored, "@")
	suffix, _ := publicsuffix.PublicSuffix(host)
	shown, err := show(host)
	if err != nil {
		return "", roster.ErrInvalidInput.WithMessage("mask e-mail address: not an address").WithCause(err)
	}
	labels := strings.Split(shown, ".")
	hidden := len(labels) - strings.Count(suffix, ".") - 1
	for i, label := range labels {
		if i < hidden {
			labels[i] = MaskText(label)
		} else {
			labels[i] = stars(utf8.RuneCountInString(label))
		}
	}
	return MaskText(local) + "@" + strings.Join(labels, "."), nil
}

// MaskPhone hides every digit of an international phone number but the last two, and keeps the punctuation of the
// format. What is not a number is ErrInvalidInput.
func MaskPhone(number string, format PhoneFormat) (string, error) {
	s, fault := clean(number)
	if fault != "" {
		return "", roster.ErrInvalidInput.WithMessage("mask phone number: not a number")
	}
	parsed, ok := phoneRules{}.number(s)
	if !ok {
		return "", roster.ErrInvalidInput.WithMessage("mask phone number: not a number")
	}
	masked := []byte(phonenumbers.Format(parsed, formatOf(format)))
	shown := 0
	for i := len(masked) - 1; i >= 0; i-- {
		if c := masked[i]; '0' <= c && c <= '9' {
			if shown++; shown > 2 {
				masked[i] = '*'
			}
		}
	}
	return string(masked), nil
}

func formatOf(format PhoneFormat) phonenumbers.PhoneNumberFormat {
	switch format {
	case International:
		return phonenumbers.INTERNATIONAL
	case National:
		return phonenumbers.NATIONAL
	case RFC3966:
		return phonenumbers.RFC3966
	case E164:
	}
	return phonenumbers.E164
}

// MaskText hides most of a text: half of it stays at most, and never more than the first two code points.
func MaskText(part string) string {
	runes := []rune(part)
	shown := min(len(runes)/2, 2)
	return string(runes[:shown]) + stars(len(runes)-shown)
}

func stars(n int) string { return strings.Repeat("*", n) }
