package mixins

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// exportedEntry is what a user is given of an entry of the audit trail that tells of them: who else did it is that
// person's, and what administrators noted is theirs.
type exportedEntry struct {
	At      time.Time          `json:"at"`
	Actor   roster.ActorKind   `json:"actor"`
	Action  string             `json:"action"`
	Result  roster.AuditResult `json:"result"`
	Code    string             `json:"code,omitempty"`
	Changes map[string]any     `json:"changes,omitempty"`
	Session *roster.ID         `json:"session,omitempty"`
	IP      string             `json:"ip,omitempty"`
	Agent   string             `json:"user_agent,omitempty"`
}

// exportAuditOf calls item for each entry that tells of a user.
func (c *Core[U]) exportAuditOf(ctx context.Context, id roster.ID, item func(any)) error {
	q := store.AuditQuery{Subject: &id, Limit: maxLimit}
	for {
		rows, err := c.Store.ListAudit(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range rows {
			item(c.exportedEntry(e, id))
		}
		if len(rows) < q.Limit {
			return nil
		}
		q.After = markOf(rows[len(rows)-1])
	}
}

func (c *Core[U]) exportedEntry(e store.AuditEntry, id roster.ID) exportedEntry {
	x := exportedEntry{
		At: e.HappenedAt, Actor: e.ActorKind, Action: e.Action, Result: e.Result, Code: e.Code, Changes: c.exportedChanges(e),
	}
	// Nobody who is signed in, and got through: they proved to be the user. Who failed may be a stranger.
	entering := e.ActorKind == roster.ActorUser && e.ActorID == nil && e.Result == roster.AuditOK
	if entering || e.ActorID != nil && *e.ActorID == id {
		x.Session, x.IP, x.Agent = e.SessionID, text(e.IP), text(e.UserAgent)
	}
	return x
}

// toldChanges are the members of an entry's changes that users are told, beside those that are fields of theirs.
var toldChanges = []string{
	"added", "amr", "by", "kind", "mode", "provider", "removed", "sessions", "step", "superuser", "until", "via",
}

func (c *Core[U]) exportedChanges(e store.AuditEntry) map[string]any {
	var all, told map[string]any
	if e.Changes == nil || json.Unmarshal([]byte(*e.Changes), &all) != nil {
		return nil
	}
	told = map[string]any{}
	for name, value := range all {
		_, ofUser := c.Plan.byName[name]
		reason := name == "reason" && e.Action == "user.ban" // the one that users are told when they are refused
		if ofUser || reason || slices.Contains(toldChanges, name) {
			told[name] = value
		}
	}
	return told
}
