// Package identifiers normalises, validates and masks the three kinds of identifier by which a user is known:
// usernames, e-mail addresses and phone numbers.
//
// Every kind goes the same way: white space at both ends is cut off, the rest is normalised, the normalised text is
// validated, and a canonical form is made of it. Whoever stores identifiers shows and mails to Identifier.Stored,
// and compares Identifier.Canonical: two identifiers are the same when their canonical forms are. No text is valid
// as two kinds, and what is stored stays what it is when it is parsed again.
//
// The standards are Unicode's NFKC (UAX 15), full case folding and script property, UTS 46 (non-transitional) for
// domains, RFC 5321 and RFC 6531 for addresses, and E.164 with the metadata of libphonenumber for phone numbers.
package identifiers

import (
	"context"
	"errors"
	"fmt"

	"github.com/roster-go/roster"
)

// Kind is one of the three kinds of identifier.
type Kind string

// The kinds, named like the fields of a user.
const (
	KindUsername Kind = "username"
	KindEmail    Kind = "email"
	KindPhone    Kind = "phone"
)

// MaxLogin is the length in bytes over which a login string is nobody's: no valid identifier is longer when it
// is stored.
const MaxLogin = 320

// Identifier is a valid identifier in its two forms. What was typed is never kept.
type Identifier struct {
	Stored    string // normalised: shown, and mailed to
	Canonical string // compared, and unique
}

// Config says which identifiers are valid. The zero value is safe.
type Config struct {
	Username UsernameConfig
	Email    EmailConfig
	Phone    PhoneConfig
}

// UsernameConfig narrows usernames.
type UsernameConfig struct {
	MinLength int // in code points of the stored form; 0: 3
	MaxLength int // in code points of the stored form, at most 320; 0: 32

	// Scripts are the scripts that letters may be of, by their names in unicode.Scripts. Empty: all.
	Scripts []string

	// Reserved replaces the names that nobody gets by themselves; case, ".", "_" and "-" do not matter. nil:
	// DefaultReserved, which a longer list is made from by append. Empty, but not nil: none.
	Reserved []string
}

// EmailConfig widens and narrows e-mail addresses.
type EmailConfig struct {
	AllowUTF8Local    bool // letters, marks and digits beyond ASCII before the "@" (RFC 6531)
	AllowLocalDomains bool // domains of one label, such as localhost

	// Check may refuse the stored form of an address that is valid so far, such as one of a throw-away domain: by
	// a *roster.Error with field errors, whose codes are told, or by any other error, told as invalid. It is asked
	// when an address is to be stored, never when one is looked up. nil: none is refused.
	Check func(ctx context.Context, address string) error
}

// PhoneConfig says which phone numbers are read. Regions are named by ISO 3166-1 alpha-2 codes.
type PhoneConfig struct {
	// DefaultRegion is where numbers without "+" are dialled. Empty: the "+" is needed.
	DefaultRegion string
	// Countries are the regions whose numbers are accepted; not all that share a calling code. Empty: all, those
	// of no country (such as +800) included.
	Countries []string
}

// Parser reads identifiers. It is safe for concurrent use.
type Parser struct {
	usernames usernameRules
	emails    emailRules
	phones    phoneRules
	check     func(ctx context.Context, address string) error
}

// New returns a Parser, or all faults of cfg at once.
func New(cfg Config) (*Parser, error) {
	usernames, err := newUsernameRules(cfg.Username)
	phones, phoneErr := newPhoneRules(cfg.Phone)
	if err = errors.Join(err, phoneErr); err != nil {
		return nil, fmt.Errorf("configure identifiers: %w", err)
	}
	return &Parser{
		usernames: usernames,
		emails:    emailRules{utf8Local: cfg.Email.AllowUTF8Local, localDomains: cfg.Email.AllowLocalDomains},
		phones:    phones,
		check:     cfg.Email.Check,
	}, nil
}

// Username reads a username. The codes are all that is wrong with it: invalid, mixed_scripts, too_long, too_short
// and reserved. The identifier is set when there is none, and also with reserved alone, which the caller may lift.
func (p *Parser) Username(input string) (Identifier, []roster.FieldCode) {
	return p.usernames.parse(input)
}

// Email reads an e-mail address that is to be stored. The codes are all that is wrong with it: invalid,
// mixed_scripts and too_long, or those of the configured Check. The identifier is set when there is none.
func (p *Parser) Email(ctx context.Context, input string) (Identifier, []roster.FieldCode) {
	id, faults := p.emails.parse(input)
	if len(faults) > 0 || p.check == nil {
		return id, faults
	}
	if err := p.check(ctx, id.Stored); err != nil {
		return Identifier{}, codesOf(err)
	}
	return id, nil
}

// KnownEmail is Email for an address that was stored before or is looked up: the configured Check is not asked.
func (p *Parser) KnownEmail(_ context.Context, input string) (Identifier, []roster.FieldCode) {
	return p.emails.parse(input)
}

// Phone reads a phone number; both its forms are E.164. The codes are invalid or too_long, and the identifier is
// set when there is none.
func (p *Parser) Phone(input string) (Identifier, []roster.FieldCode) {
	return p.phones.parse(input)
}
