package roster

import (
	"encoding/json"
	"time"
)

// Credentials are what a person offers to log in. Several identifiers must all be of one user; a pointer to ""
// is an identifier or a password that is never right, nil is none.
type Credentials struct {
	Login    *string // a username, an e-mail address or a phone number
	Username *string
	Email    *string
	Phone    *string
	// Handle is that of a contact in FindContacts. It goes with Code, and needs no other identifier.
	Handle *Secret

	// Password or Code, exactly one of them: Code was sent to log in.
	Password *Secret
	Code     *Secret
	// Channel is where Code was sent. "": to the address or number that the login is; for a username the last one counts.
	Channel Channel

	// DeviceToken is what an earlier log-in from the device has returned; nil is none.
	DeviceToken *Secret

	Captcha string // for hooks, unread
	// Remember false keeps the session short: it ends 12 hours after its last use. nil means true.
	Remember *bool
	// Client is what the client program calls itself, for profiles (Config.Session.Profiles); "" is none.
	Client string
}

// PasswordCredentials are those of the usual form: a login of any kind and a password.
func PasswordCredentials(login string, password Secret) Credentials {
	return Credentials{Login: &login, Password: &password}
}

// Login is the answer to a successful log-in.
type Login[U Model] struct {
	User   U
	Tokens *TokenPair
	// Unarchiving says that the user had archived the account, and that this log-in has brought it back.
	Unarchiving bool
	// DeviceToken names the device at its next log-in, and keeps what others try from holding that up. "": the device
	// is known by the token that it gave.
	DeviceToken Secret
	// NewDevice says that the device was not known, and that the user has logged in before.
	NewDevice bool
}

// IssueOptions tells IssueTokens how the person got in.
type IssueOptions struct {
	Via      Via      // "" means app
	AMR      []string // how the secret was judged (RFC 8176: "pwd", "otp"); nil means "app"
	Remember *bool
	Captcha  string
	// DeviceToken is what an earlier log-in from the device has returned; nil is none.
	DeviceToken *Secret
	// Client is what the client program calls itself; profiles are for some of them. "" is none.
	Client string
	// Profile names a profile that the session is to have beside those that it has anyway, one of Config.Session.Profiles; "" is
	// none.
	Profile string
}

// TokenPair is a session's access token and refresh token. Its JSON is the one place that shows them.
type TokenPair struct {
	AccessToken      Secret
	ExpiresIn        time.Duration // of the access token
	RefreshToken     Secret
	RefreshExpiresIn time.Duration // until the session ends if it is not used
	SessionID        ID

	// What follows is no part of the JSON. DeviceToken and NewDevice are as in Login; refreshing gives none.
	DeviceToken Secret
	NewDevice   bool
	// Remember is false for a session that is to end with the browser: cookies without an age hold it.
	Remember bool
	// CSRFToken proves that a request which a cookie proves comes from a page of the program's own; see SessionOps.CheckCSRF.
	CSRFToken Secret
}

// MarshalJSON writes the members of RFC 6749, section 5.1, and the session's id; durations in whole seconds.
func (p TokenPair) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		AccessToken      string `json:"access_token"`
		TokenType        string `json:"token_type"`
		ExpiresIn        int64  `json:"expires_in"`
		RefreshToken     string `json:"refresh_token"`
		RefreshExpiresIn int64  `json:"refresh_expires_in"`
		SessionID        ID     `json:"session_id"`
	}{
		p.AccessToken.Reveal(), "Bearer", int64(p.ExpiresIn / time.Second),
		p.RefreshToken.Reveal(), int64(p.RefreshExpiresIn / time.Second), p.SessionID,
	})
}

// Claims are what a verified access token says (RFC 9068 with members of our own).
type Claims struct {
	Issuer    string
	Subject   ID // the user
	Audience  string
	SessionID ID
	TokenID   ID
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
	// AuthTime is when a secret was last judged right; refreshing keeps it.
	AuthTime time.Time
	AMR      []string
	// Epoch is the user's at issue, GlobalEpoch that of all users.
	Epoch       int64
	GlobalEpoch int64
	// Permissions and Superuser are as they were at issue, for the program's convenience; guards ask the database.
	Permissions Permissions
	Superuser   bool
	// Extra are the program's own claims.
	Extra map[string]any
}

// Revocations are what a service has to know of to judge access tokens by itself, beside the signing keys.
type Revocations struct {
	// Position is where ListRevocations goes on. It is opaque. What it gives then may have been given before.
	Position string
	// More says that there are more entries at once: until all were read, nothing can be judged.
	More bool
	// GlobalEpoch is that of all users: a token with a lower one is of a session that has ended.
	GlobalEpoch int64
	// AccessTTL is how long access tokens live, in whole seconds. One that is older is late
	// whatever it says, since what could end it is not kept for longer.
	AccessTTL time.Duration
	// Sessions have ended.
	Sessions []ID
	// Users have a new epoch: a token with a lower one is late, and refreshing gives another.
	Users []UserEpoch
}

// UserEpoch is the epoch of a user.
type UserEpoch struct {
	ID    ID
	Epoch int64
}

// RevokeReason tells why a session ended.
type RevokeReason string

// The reasons.
const (
	RevokedByLogout   RevokeReason = "logout"
	RevokedByToken    RevokeReason = "revoked" // its refresh token was revoked
	RevokedByOther    RevokeReason = "other"   // from another session of the user
	RevokedAll        RevokeReason = "all"
	RevokedByDelete   RevokeReason = "delete"
	RevokedByPassword RevokeReason = "password"
	RevokedByReuse    RevokeReason = "reuse"
	RevokedByEviction RevokeReason = "evicted"
	RevokedByBan      RevokeReason = "ban"
	RevokedByKick     RevokeReason = "kick"
	RevokedByArchive  RevokeReason = "archive"
	RevokedByContact  RevokeReason = "contact" // a change of contact was taken back, or done with Confirm.RevokeOnChange
	RevokedByAdmin    RevokeReason = "admin"
	RevokedByState    RevokeReason = "state" // the user may not have a session any more
)

// Session is one log-in of a user.
type Session struct {
	ID         ID
	UserID     ID
	CreatedAt  time.Time
	LastUsedAt time.Time // when it began or was last refreshed: at most Session.AccessTTL behind
	ExpiresAt  time.Time // its end if it is not used again: a refresh moves it, up to Session.RefreshAbsolute after CreatedAt
	AuthTime   time.Time
	AMR        []string
	IP         string
	UserAgent  string
	// Device is UserAgent for people, such as "Firefox on Linux": plain ASCII, 50 characters at most; "" when that tells none. Clients can
	// call themselves what they like.
	Device string
	// Profiles are those of the log-in, which has made the session live shorter than others; see Config.Session.Profiles.
	Profiles []string
}
