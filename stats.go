package roster

// Stats are counters of one process since its start.
type Stats struct {
	// HookErrors are the errors, panics and late ends of hooks that no caller was told of.
	HookErrors int64
	// MailConfigErrors are the tries to send that failed for a reason which the operator has to mend.
	MailConfigErrors int64
	// CacheErrors are the calls that the cache did not answer, and that were counted in the database.
	CacheErrors int64
}
