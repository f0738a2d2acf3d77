package integration_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// ADMIN-42, ADMIN-69, SEC-103: the audit trail as one file.
func TestHTTPAuditExport(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		root, anna := s.superuser(t, "root1"), s.guest(t, "anna")
		const pages = 450 // more than two of the store's
		for i := range pages {
			ctx := roster.WithActor(t.Context(), roster.Actor{Kind: roster.ActorAdmin, ID: root.ID, Reason: fmt.Sprintf("\n=cmd %d; =\"a\"\r\nb\u009b\u202e", i)})
			must(s.SetEmailConfirmed(ctx, anna.ID, i%2 == 0))(t)
			s.Clock.Advance(time.Second)
		}
		at := "GET /admin/audit?subject=" + anna.ID.String()
		var items []any
		for cursor := ""; ; {
			page := s.do(t, at+"&limit=200"+cursor, nil, root.token()).succeeds(t, 200)
			for i := range page.member(t, "items").([]any) {
				items = append(items, page.member(t, fmt.Sprintf("items.%d", i)))
			}
			next, more := page.member(t, "next").(string)
			if !more {
				break
			}
			cursor = "&cursor=" + next
		}
		if len(items) < pages {
			t.Fatalf("%d entries, want %d at least", len(items), pages)
		}
		t.Run("has every entry as a line of JSON", func(t *testing.T) {
			a := s.do(t, at+"&format=ndjson", nil, root.token()).succeeds(t, 200)
			same(t, "application/x-ndjson", a.header.Get("Content-Type"))
			same(t, `attachment; filename="audit.ndjson"`, a.header.Get("Content-Disposition"))
			same(t, "no-store", a.header.Get("Cache-Control"))
			var got []any
			for line := range strings.Lines(string(a.body)) {
				var entry any
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				got = append(got, entry)
			}
			same(t, items, got)
		})
		t.Run("has every entry as a row, and no formula", func(t *testing.T) {
			a := s.do(t, at+"&action=email.confirm&format=csv", nil, root.token()).succeeds(t, 200)
			same(t, "text/csv; charset=utf-8; header=present", a.header.Get("Content-Type"))
			rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(a.body), "\r\n"), "\r\n\"") {
				if !strings.HasSuffix(line, `"`) {
					t.Fatalf("a line has a bare cell: %q", line)
				}
			}
			reason := slices.Index(rows[0], "reason")
			for _, row := range rows[1:] {
				if !strings.HasPrefix(row[reason], "'\n=cmd ") || !strings.HasSuffix(row[reason], `b\u009b\u202e`) {
					t.Fatalf("a cell is %q", row[reason])
				}
			}
			same(t, s.rows(t, "roster_audit WHERE action = 'email.confirm'"), len(rows)-1)
		})
		t.Run("is in the audit trail once", func(t *testing.T) {
			same(t, 2, s.rows(t, "roster_audit WHERE action = 'audit.export'"))
		})
		t.Run("has no pages, and no other form", func(t *testing.T) {
			s.do(t, at+"&format=csv&limit=1&cursor=x", nil, root.token()).fails(t, 422, "validation_failed", "cursor:invalid", "limit:invalid")
			s.do(t, at+"&format=xml", nil, root.token()).fails(t, 422, "validation_failed", "format:invalid")
		})
		t.Run("is for those who may read it", func(t *testing.T) {
			s.do(t, at+"&format=csv", nil, s.administrator(t, "clerk", "users:read").token()).fails(t, 403, "forbidden")
		})
		t.Run("is a header alone when there is nothing", func(t *testing.T) {
			a := s.do(t, at+"&action=none&format=csv", nil, root.token()).succeeds(t, 200)
			same(t, 1, strings.Count(string(a.body), "\r\n"))
			same(t, "", string(s.do(t, at+"&action=none&format=ndjson", nil, root.token()).succeeds(t, 200).body))
		})
	})
}

// HTTP-61: what must not tell whether an account exists takes its least time, errors included; the rest does not.
func TestHTTPMinDuration(t *testing.T) {
	t.Parallel()
	const least = 300 * time.Millisecond
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{MinDuration: least})
	s.guest(t, "anna")
	for _, x := range []struct {
		what string
		body any
	}{
		{"POST /api/login", fields{"login": "nobody", "password": "wrong"}},
		{"POST /api/login", fields{"login": "anna", "password": passphrase}},
		{"POST /api/login", `{"login":`},
		{"POST /api/password/forgot", fields{"login": "nobody"}},
		{"POST /api/confirm/resend", fields{"email": "nobody@example.com"}},
		{"POST /api/register", fields{"username": "anna"}},
		{"PUT /api/me/email", fields{"email": "other@example.com"}},
		{"PUT /api/me/phone", fields{"phone": "+436641234567"}},
	} {
		began := time.Now()
		a := s.do(t, x.what, x.body)
		if took := time.Since(began); took < least {
			t.Errorf("%s: answered after %s, want %s", a, took, least)
		}
	}
	began := time.Now()
	for range 3 {
		s.do(t, "GET /api/me", nil)
	}
	if took := time.Since(began); took >= 3*least {
		t.Errorf("what is not neutral took %s", took)
	}
	if _, err := routes.User(s.echo.Group("/late"), s.UsersRepo, routes.Config{MinDuration: 10 * time.Second}); err == nil {
		t.Error("a least duration as long as the time limit was accepted")
	}
}
