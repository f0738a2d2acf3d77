package routes

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/internal/jsontext"
	"github.com/roster-go/roster/transfer"
)

// auditRepo is what the endpoint of the audit trail calls.
type auditRepo interface {
	ListAudit(ctx context.Context, query roster.AuditQuery) (roster.Page[roster.AuditEntry], error)
	ExportAudit(ctx context.Context, query roster.AuditQuery) iter.Seq2[roster.AuditEntry, error]
}

// auditEndpoints is ADMIN-42.
func auditEndpoints(repo auditRepo) []endpoint {
	x := audit{repo}
	return []endpoint{
		{name: "audit", method: http.MethodGet, path: "/audit", auth: AuthSession, permission: roster.PermissionReadAudit, query: true, handle: x.list},
	}
}

type audit struct{ repo auditRepo }

// auditView is a line of the audit trail, in which nothing breaks a line or speaks to a terminal.
type auditView struct {
	ID        string             `json:"id"`
	At        string             `json:"at"`
	Actor     auditActorView     `json:"actor"`
	Action    string             `json:"action"`
	SubjectID *string            `json:"subject_id"`
	Result    roster.AuditResult `json:"result"`
	Code      string             `json:"code,omitempty"`
	Changes   json.RawMessage    `json:"changes,omitempty"`
	Reason    string             `json:"reason,omitempty"`
	IP        string             `json:"ip,omitempty"`
	UserAgent string             `json:"user_agent,omitempty"`
	SessionID *string            `json:"session_id"`
	RequestID string             `json:"request_id,omitempty"`
}

// MarshalJSON escapes more than package json does.
func (v auditView) MarshalJSON() ([]byte, error) {
	type members auditView
	text, err := json.Marshal(members(v))
	return []byte(jsontext.Escape(string(text))), err
}

type auditActorView struct {
	ID       *string          `json:"id"`
	Kind     roster.ActorKind `json:"kind"`
	OnBehalf *string          `json:"on_behalf"`
}

func (x audit) list(ctx context.Context, r *request) (answer, error) {
	p, err := parametersOf(r.URL, "actor", "subject", "action", "result", "ip", "session_id", "request_id", "at.gte", "at.lt",
		"limit", "cursor", "format")
	if err != nil {
		return answer{}, err
	}
	q := roster.AuditQuery{
		Actor: p.id("actor"), Subject: p.id("subject"), Session: p.id("session_id"), Action: p.text("action"),
		Result: roster.AuditResult(p.text("result")), IP: p.text("ip"), Request: p.text("request_id"),
		Since: p.moment("at.gte"), Before: p.moment("at.lt"), Limit: p.limit(), Cursor: p.text("cursor"),
	}
	export := p.exportFormat()
	if err := p.faults.Err(); err != nil {
		return answer{}, err
	}
	if export != "" {
		lines := func(ctx context.Context, each func(line any, cells []string) error) error {
			for e, err := range x.repo.ExportAudit(ctx, q) {
				if err != nil {
					return err
				}
				v := auditViewOf(e)
				if err := each(v, v.cells()); err != nil {
					return err
				}
			}
			return nil
		}
		if export == transfer.CSV {
			return fileOf("audit", export, writeCSV(auditColumns, lines))
		}
		return fileOf("audit", export, writeNDJSON(lines))
	}
	page, err := x.repo.ListAudit(ctx, q)
	if err != nil {
		return answer{}, err
	}
	items := make([]auditView, len(page.Items))
	for i, e := range page.Items {
		items[i] = auditViewOf(e)
	}
	return listOf(items, page)
}

func auditViewOf(e roster.AuditEntry) auditView {
	return auditView{
		ID: e.ID.String(), At: stamp(e.At), Actor: auditActorView{idText(e.Actor.ID), e.Actor.Kind, idText(e.Actor.OnBehalf)},
		Action: e.Action, SubjectID: idText(e.Subject), Result: e.Result, Code: string(e.Code), Changes: e.Changes, Reason: e.Reason,
		IP: e.IP, UserAgent: e.Agent, SessionID: idText(e.Session), RequestID: e.Request,
	}
}

var auditColumns = []string{
	"id", "at", "actor_id", "actor_kind", "on_behalf", "action", "subject_id", "result", "code", "changes", "reason", "ip",
	"user_agent", "session_id", "request_id",
}

// cells are the values of auditColumns.
func (v auditView) cells() []string {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return []string{
		v.ID, v.At, text(v.Actor.ID), string(v.Actor.Kind), text(v.Actor.OnBehalf), v.Action, text(v.SubjectID), string(v.Result),
		v.Code, jsontext.Escape(string(v.Changes)), jsontext.Escape(v.Reason), v.IP, jsontext.Escape(v.UserAgent), text(v.SessionID), v.RequestID,
	}
}
