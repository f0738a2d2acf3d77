package identifiers

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

// The limits of RFC 5321, section 4.5.3.1, in bytes; 254 is what a path leaves to an address.
const (
	maxLocal   = 64
	maxAddress = 254
)

// emailRules are the settings of e-mail addresses.
type emailRules struct{ utf8Local, localDomains bool }

func (r emailRules) parse(input string) (Identifier, []roster.FieldCode) {
	s, fault := clean(input)
	if fault != "" {
		return Identifier{}, []roster.FieldCode{fault}
	}
	local, domain, _ := strings.Cut(s, "@")
	if r.utf8Local {
		local = norm.NFKC.String(local)
	}
	validLocal, mixed := r.readLocal(local)
	host, validHost := asciiDomain(domain, r.localDomains)

	var faults []roster.FieldCode
	if !validLocal || !validHost {
		faults = append(faults, roster.Invalid)
	}
	if mixed {
		faults = append(faults, roster.MixedScripts)
	}
	if len(local) > maxLocal || len(local)+len("@")+len(host) > maxAddress {
		faults = append(faults, roster.TooLong)
	}
	if len(faults) > 0 {
		return Identifier{}, faults
	}
	id := Identifier{Stored: local + "@" + host}
	id.Canonical = id.Stored
	if folded := fold(local); folded != local {
		id.Canonical = folded + "@" + host
	}
	return id, nil
}

// readLocal judges a dot-atom (RFC 5322, section 3.2.3).
func (r emailRules) readLocal(local string) (valid, mixed bool) {
	var text letters
	valid = local != "" && local[0] != '.' && local[len(local)-1] != '.' && !strings.Contains(local, "..")
	for _, c := range local {
		if r.utf8Local || c < utf8.RuneSelf {
			if text.take(c) {
				continue
			}
			text.end()
			if _, isDigit := decimal(c); isDigit || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", c) {
				continue
			}
		}
		valid = false
	}
	return valid, text.scripts.mixed()
}

// codesOf returns the codes that an error of EmailConfig.Check carries.
func codesOf(err error) []roster.FieldCode {
	var codes []roster.FieldCode
	if e := (*roster.Error)(nil); errors.As(err, &e) {
		for _, field := range e.Fields {
			codes = append(codes, field.Code)
		}
	}
	if len(codes) == 0 {
		return []roster.FieldCode{roster.Invalid}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
