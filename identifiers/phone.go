package identifiers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/roster-go/roster"
)

// phoneRules are the settings of phone numbers.
type phoneRules struct {
	region    string   // "": none
	countries []string // empty: all
}

func newPhoneRules(cfg PhoneConfig) (phoneRules, error) {
	var faults []error
	r := phoneRules{region: strings.ToUpper(cfg.DefaultRegion)}
	regions := phonenumbers.GetSupportedRegions()
	if r.region != "" && !regions[r.region] {
		faults = append(faults, fmt.Errorf("phone: unknown default region %q", cfg.DefaultRegion))
	}
	for _, country := range cfg.Countries {
		region := strings.ToUpper(country)
		if !regions[region] {
			faults = append(faults, fmt.Errorf("phone: unknown country %q", country))
		}
		r.countries = append(r.countries, region)
	}
	return r, errors.Join(faults...)
}

func (r phoneRules) parse(input string) (Identifier, []roster.FieldCode) {
	s, fault := clean(input)
	if fault != "" {
		return Identifier{}, []roster.FieldCode{fault}
	}
	number, ok := r.number(s)
	if !ok {
		return Identifier{}, []roster.FieldCode{roster.Invalid}
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	return Identifier{Stored: e164, Canonical: e164}, nil
}

func (r phoneRules) number(s string) (*phonenumbers.PhoneNumber, bool) {
	dialled, ok := dial(s)
	if !ok || r.region == "" && s[0] != '+' {
		return nil, false
	}
	region := r.region
	if dialled[0] == '+' {
		region = "" // else the library reads a number with an unknown calling code as a national one
	}
	number, err := phonenumbers.Parse(dialled, region)
	if err != nil || number.GetExtension() != "" || !phonenumbers.IsValidNumber(number) {
		return nil, false
	}
	return number, len(r.countries) == 0 || slices.ContainsFunc(r.countries, func(country string) bool {
		return phonenumbers.IsValidNumberForRegion(number, country)
	})
}

// dial leaves of s what is dialled: a "+", digits in ASCII, and letters. The library on its own drops what it does
// not understand, before the number, within it and behind it.
func dial(s string) (dialled string, ok bool) {
	var keys strings.Builder
	keys.Grow(len(s))
	vanity := 0
	for i, c := range s {
		digit, isDigit := decimal(c)
		switch {
		case isDigit:
			keys.WriteRune('0' + digit)
		case c == '+' && keys.Len() == 0:
			keys.WriteRune('+')
		case c == '(' || i > 0 && strings.ContainsRune(" -./)", c):
		case 'a' <= c|0x20 && c|0x20 <= 'z' && keys.Len() > 0:
			keys.WriteRune(c)
			vanity++
		default:
			return "", false
		}
	}
	// One or two letters spell no word: they are a typing error, or the sign of an extension.
	return keys.String(), keys.Len() > 0 && (vanity == 0 || vanity >= 3)
}
