package passwords

import (
	"strings"

	"github.com/roster-go/roster"
)

// CheckImport judges a hash that comes from elsewhere, without any costly work. A hash that can be checked is usable.
// An empty one, and Django's mark of an unusable password (a leading "!"), are not: the account has no password.
// All else is the field error password:invalid_hash.
//
// Usable are, each within limits on what it may cost: argon2id and argon2i as PHC strings, bcrypt ($2a$, $2b$, $2y$),
// and Django's argon2, bcrypt, bcrypt_sha256, pbkdf2_sha256, pbkdf2_sha1 and scrypt. At most: argon2 with 1 GiB, 20
// passes, 16 lanes; scrypt with 1 GiB; 10,000,000 iterations of PBKDF2; cost 16 of bcrypt.
func CheckImport(encoded string) (usable bool, err error) {
	if none(encoded) {
		return false, nil
	}
	if _, err := parse(encoded); err != nil {
		return false, roster.ErrValidationFailed.WithFields(roster.FieldError{
			Field: "password", Code: roster.InvalidHash, Message: err.Error(),
		})
	}
	return true, nil
}

// none tells stored strings that say that there is no password.
func none(encoded string) bool { return encoded == "" || strings.HasPrefix(encoded, "!") }
