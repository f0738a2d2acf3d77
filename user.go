package roster

import "time"

// User is the part of a user that Roster itself needs. A program embeds it, by value, in a struct of its own and
// adds its columns:
//
//	type Account struct {
//		roster.User
//		Company string `db:"company" json:"company" roster:"create,update,search"`
//		Plan    string `db:"plan" json:"plan" roster:"admin,filter"`
//	}
//
// Secrets never live here: password hashes, tokens and counters have tables of their own. User defines no
// MarshalJSON, String, Scan or Value, since an embedded one would swallow the program's fields.
type User struct {
	ID ID `db:"id" json:"id"`

	// At least one of Username, Email and Phone is set on a user that is not anonymised; nil means absent.
	Username *string `db:"username" json:"username"`
	Email    *string `db:"email" json:"email"`
	Phone    *string `db:"phone" json:"phone"` // E.164

	// When the contact was proven to be the user's; nil while it is not.
	EmailVerifiedAt *time.Time `db:"email_verified_at" json:"email_verified_at"`
	PhoneVerifiedAt *time.Time `db:"phone_verified_at" json:"phone_verified_at"`

	Permissions Permissions `db:"permissions" json:"permissions"`
	Superuser   bool        `db:"superuser" json:"superuser"`

	Language *string `db:"language" json:"language"`   // BCP 47
	TimeZone *string `db:"time_zone" json:"time_zone"` // IANA name

	BannedAt    *time.Time  `db:"banned_at" json:"banned_at"`
	BannedUntil *time.Time  `db:"banned_until" json:"banned_until"` // nil: for ever
	ArchivedAt  *time.Time  `db:"archived_at" json:"archived_at"`
	ArchivedBy  *ArchivedBy `db:"archived_by" json:"archived_by"`
	DeletedAt   *time.Time  `db:"deleted_at" json:"deleted_at"`
	DeleteMode  *DeleteMode `db:"delete_mode" json:"delete_mode"`

	LastLoginAt *time.Time `db:"last_login_at" json:"last_login_at"`
	CreatedAt   time.Time  `db:"created_at" json:"created_at"`
	UpdatedAt   time.Time  `db:"updated_at" json:"updated_at"`

	// Version starts at 1 and grows by one with every change of the record.
	Version int64 `db:"version" json:"version"`
	// Epoch grows whenever the access tokens issued so far must die.
	Epoch int64 `db:"epoch" json:"-"`
}

// Model is what the type parameter of a repo must be: a pointer to a struct that embeds User.
type Model interface{ Base() *User }

// Base returns the embedded user, which makes a pointer to an embedding struct a Model.
func (u *User) Base() *User { return u }

// ArchivedBy tells who put an account aside.
type ArchivedBy string

// Who archives.
const (
	ArchivedBySelf  ArchivedBy = "self"
	ArchivedByAdmin ArchivedBy = "admin"
)

// DeleteMode says how much of a user a deletion takes away. The zero mode is refused.
type DeleteMode string

// The modes of deletion.
const (
	// Deactivate keeps everything, for Restore; nobody can log in.
	Deactivate DeleteMode = "deactivate"
	// Anonymise keeps the id and the times, and clears every personal value.
	Anonymise DeleteMode = "anonymise"
	// Remove deletes the row and all that hangs on it.
	Remove DeleteMode = "remove"
)

// Banned reports whether the user is banned at the time now. A ban whose end has come is none.
func (u *User) Banned(now time.Time) bool {
	return u.BannedAt != nil && (u.BannedUntil == nil || now.Before(*u.BannedUntil))
}

// Deleted reports whether the user is deactivated or anonymised.
func (u *User) Deleted() bool { return u.DeletedAt != nil }

// Anonymised reports whether the user's personal values were cleared for good.
func (u *User) Anonymised() bool { return u.DeleteMode != nil && *u.DeleteMode == Anonymise }

// Verified reports whether some contact of the user is proven. A user with neither an e-mail address nor a phone
// number has nothing to prove and counts as verified.
func (u *User) Verified() bool {
	return u.EmailVerifiedAt != nil || u.PhoneVerifiedAt != nil || (u.Email == nil && u.Phone == nil)
}

// DisplayName is how mails and logs for administrators name the user: the first present of username, e-mail
// address, phone number and id.
func (u *User) DisplayName() string {
	for _, s := range []*string{u.Username, u.Email, u.Phone} {
		if s != nil {
			return *s
		}
	}
	return u.ID.String()
}
