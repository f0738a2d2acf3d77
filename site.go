package roster

import "time"

// Site is where browsers reach a repo, for what serves it to them.
type Site struct {
	BaseURL     string // with its scheme, and perhaps a path
	Development bool   // plain http on localhost is fine
	// DeviceTTL is how long a device token is good after a log-in with it.
	DeviceTTL time.Duration
}
