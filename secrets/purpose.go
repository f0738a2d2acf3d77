package secrets

// Purpose labels what a key is for. Changing the text of one makes all that was made for it unreadable.
type Purpose string

// The purposes of Roster. Others work too, but their keys are derived again at each call: add them here.
const (
	SigningKeys Purpose = "signing-keys" // private keys of access tokens, sealed in the database
	RefreshTag  Purpose = "refresh-tag"  // the tag that tells our refresh tokens from made-up ones
	OneTimeCode Purpose = "one-time-code"
	ContactCode Purpose = "contact-code" // codes sent to an e-mail address or phone number
	CodeHandle  Purpose = "code-handle"  // what names a contact to people who are not logged in
	Decoy       Purpose = "decoy"        // made-up contacts of unknown log-ins, the same each time
	Counter     Purpose = "counter"      // subjects of lanes and quotas
	NameHold    Purpose = "name-hold"    // released usernames
	Cursor      Purpose = "cursor"
	Outbox      Purpose = "outbox" // payloads of mails and text messages
	BulkPlan    Purpose = "bulk-plan"
	CSRF        Purpose = "csrf"
	Audit       Purpose = "audit" // logins of nobody, in the audit trail
)

// known lists the purposes whose keys a Ring derives beforehand.
func known() []Purpose {
	return []Purpose{
		SigningKeys, RefreshTag, OneTimeCode, ContactCode, CodeHandle, Decoy,
		Counter, NameHold, Cursor, Outbox, BulkPlan, CSRF, Audit,
	}
}
