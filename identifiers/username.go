package identifiers

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/roster-go/roster"
)

// usernameRules are the settings of usernames.
type usernameRules struct {
	min, max int
	scripts  map[string]bool // nil: all
	reserved map[string]bool // by reservedKey
}

// anyUsername asks for nothing but the syntax: for names that may have been stored under other settings.
func anyUsername() usernameRules { return usernameRules{min: 1, max: MaxLogin} }

func newUsernameRules(cfg UsernameConfig) (usernameRules, error) {
	var faults []error
	r := usernameRules{min: cmp.Or(cfg.MinLength, 3), max: cmp.Or(cfg.MaxLength, 32)}
	if r.min < 1 {
		faults = append(faults, fmt.Errorf("username: minimum length %d is under 1", r.min))
	}
	if r.max > MaxLogin {
		faults = append(faults, fmt.Errorf("username: maximum length %d is over %d", r.max, MaxLogin))
	}
	if r.max < r.min {
		faults = append(faults, fmt.Errorf("username: maximum length %d is under the minimum length %d", r.max, r.min))
	}

	if len(cfg.Scripts) > 0 {
		r.scripts = make(map[string]bool, len(cfg.Scripts))
	}
	for _, name := range cfg.Scripts {
		if !isScript(name) {
			faults = append(faults, fmt.Errorf("username: unknown script %q", name))
		}
		r.scripts[name] = true
	}

	if cfg.Reserved == nil {
		cfg.Reserved = DefaultReserved()
	}
	r.reserved = make(map[string]bool, len(cfg.Reserved))
	for _, name := range cfg.Reserved {
		r.reserved[string(reservedKey(nil, canonicalName(norm.NFKC.String(name))))] = true
	}
	return r, errors.Join(faults...)
}

// DefaultReserved returns the names that are reserved unless UsernameConfig.Reserved says otherwise: those that
// speak for the operator, and those that routes and programs use. The slice is the caller's.
func DefaultReserved() []string {
	return []string{
		"admin", "administrator", "root", "superuser", "system", "staff", "moderator", "owner",
		"support", "help", "security", "abuse", "postmaster", "hostmaster", "webmaster", "noreply",
		"me", "self", "api", "login", "logout", "register", "password", "settings", "edit",
		"notifications", "message", "messages", "changeinfo",
		"null", "undefined", "anonymous", "guest", "deleted", "everyone",
	}
}

func (r usernameRules) parse(input string) (Identifier, []roster.FieldCode) {
	s, fault := clean(input)
	if fault != "" {
		return Identifier{}, []roster.FieldCode{fault}
	}
	stored := norm.NFKC.String(s)
	canonical := canonicalName(stored)
	name := spell(stored)

	var faults []roster.FieldCode
	if !name.valid || !r.allow(&name.scripts) {
		faults = append(faults, roster.Invalid)
	}
	if name.scripts.mixed() {
		faults = append(faults, roster.MixedScripts)
	}
	if name.length > r.max || len(stored) > MaxLogin {
		faults = append(faults, roster.TooLong)
	}
	if name.length < r.min {
		faults = append(faults, roster.TooShort)
	}
	var id Identifier
	if len(faults) == 0 {
		id = Identifier{Stored: stored, Canonical: canonical}
	}
	if r.isReserved(canonical) {
		faults = append(faults, roster.Reserved)
	}
	return id, faults
}

func (r usernameRules) allow(scripts *scriptMix) bool {
	return r.scripts == nil || scripts.within(func(name string) bool { return r.scripts[name] })
}

func (r usernameRules) isReserved(canonical string) bool {
	var space [64]byte
	return r.reserved[string(reservedKey(space[:0], canonical))]
}

// reservedKey appends canonical without what may be strewn into a name.
func reservedKey(key []byte, canonical string) []byte {
	for i := range len(canonical) {
		if c := canonical[i]; c != '.' && c != '_' && c != '-' {
			key = append(key, c)
		}
	}
	return key
}

func canonicalName(stored string) string { return strings.Map(asciiDigit, fold(stored)) }

// spelling is what a username consists of.
type spelling struct {
	valid   bool
	length  int // in code points
	scripts scriptMix
}

func spell(stored string) spelling {
	var (
		text   letters
		length int
		zero   rune // of the numeral system; 0 before the first digit
		valid  = true
	)
	for i, r := range stored {
		length++
		if text.take(r) {
			continue
		}
		text.end()
		switch value, isDigit := decimal(r); {
		case i == 0:
			valid = false
		case isDigit:
			valid = valid && (zero == 0 || zero == r-value)
			zero = r - value
		case r != '.' && r != '_' && r != '-':
			valid = false
		}
	}
	return spelling{valid: valid, length: length, scripts: text.scripts}
}

// isScript reports whether name is that of a script that letters can be of.
func isScript(name string) bool {
	return unicode.Scripts[name] != nil && name != "Common" && name != "Inherited"
}
