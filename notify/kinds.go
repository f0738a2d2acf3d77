package notify

// The kinds of messages. Each has a directory of templates by its name.
const (
	EmailConfirm    = "email_confirm"    // carries the link that proves an e-mail address
	PasswordFirst   = "password_first"   // carries the link by which a first password is set
	EmailChanged    = "email_changed"    // to the old address; Data.New is the new one
	ContactRemoved  = "contact_removed"  // to the removed contact, which is Data.Old
	UsernameChanged = "username_changed" // Data.Old, Data.New
	SocialLinked    = "social_linked"    // Data.Provider
	SocialUnlinked  = "social_unlinked"  // Data.Provider
	TokenReuse      = "token_reuse"
)

// Kinds returns all kinds.
func Kinds() []string {
	return []string{
		EmailConfirm, PasswordFirst, EmailChanged, ContactRemoved, UsernameChanged, SocialLinked, SocialUnlinked, TokenReuse,
	}
}

// toStrangers reports whether a kind goes to an address that somebody typed and nobody proved. A name in it is not
// to become a link: registering with a name and a victim's address would send the victim anything.
func toStrangers(kind string) bool { return kind == EmailConfirm || kind == PasswordFirst }
