package roster

import "time"

// PendingChange is a change of a contact that was asked for and not proven yet. Contact is "email" or "phone".
type PendingChange struct {
	Contact     string
	New         string
	RequestedAt time.Time
}
