package store

// What several statements ask alike. A table's alias is given with its dot, "" for none; the rest is what stands in the
// statement: placeholders, names or columns.

// usable is the condition of users who are not banned, archived or deleted at a time.
func usable(users, at string) string {
	return users + "deleted_at IS NULL AND " + users + "archived_at IS NULL AND (" + users + "banned_at IS NULL OR " + users + "banned_until <= " + at + ")"
}

// live is the condition of sessions that have not ended by a time.
func live(sessions, at string) string {
	return sessions + "ended_at IS NULL AND " + sessions + "idle_at > " + at + " AND " + sessions + "expires_at > " + at
}

// admits is the condition on the state under which no blackout keeps somebody out.
func admits(state, superuser, at string) string {
	return "(cast(" + superuser + " AS boolean) OR NOT " + state + "blackout_closed OR " + state + "blackout_until <= " + at + ")"
}

// heldFrom is the condition that a username is held at a time for somebody else than a user, by its possible hashes.
func heldFrom(user, at, hashes string) string {
	return "EXISTS (SELECT 1 FROM {holds} WHERE ends_at > " + at + " AND (user_id IS NULL OR user_id <> " + user + ") AND hash IN (" + hashes + "))"
}
