package routes_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/routes"
)

// breaking is a repo whose exports break off after so many rows.
type breaking struct {
	fakeAdmin
	rows int
}

func (b breaking) ExportUsers(context.Context, roster.Query, roster.ExportOptions) iter.Seq2[roster.UserRow, error] {
	return func(yield func(roster.UserRow, error) bool) {
		for range b.rows {
			if !yield(roster.UserRow{Columns: []string{"id"}, Values: []json.RawMessage{json.RawMessage(`"x"`)}}, nil) {
				return
			}
		}
		yield(roster.UserRow{}, roster.ErrUnavailable)
	}
}

// ADMIN-70: an export that breaks off is never taken for all.
func TestBrokenExport(t *testing.T) {
	t.Parallel()
	get := func(t *testing.T, rows int, path string) (status int, text string, err error) {
		t.Helper()
		e := echo.New()
		if _, err := routes.Admin(e.Group(""), breaking{rows: rows}, routes.Config{}); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(e)
		t.Cleanup(server.Close)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer access")
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, string(body), err
	}
	const many = 100_000
	t.Run("says so in a last line of JSON", func(t *testing.T) {
		t.Parallel()
		status, text, err := get(t, many, "/export")
		if want := strings.Repeat("{\"id\":\"x\"}\n", many) + "{\"error\":\"unavailable\"}\n"; err != nil || status != 200 || text != want {
			t.Errorf("%d, %v, …%s", status, err, text[max(0, len(text)-60):])
		}
	})
	t.Run("cuts a table off", func(t *testing.T) {
		t.Parallel()
		if status, text, err := get(t, many, "/export?format=csv"); err == nil || status != 200 || !strings.HasPrefix(text, "\"id\"\r\n\"x\"\r\n") {
			t.Errorf("%d, %v, %.60s", status, err, text)
		}
	})
	t.Run("is a problem when nothing was sent", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/export", "/export?format=csv"} {
			if status, text, err := get(t, 1, path); err != nil || status != 503 || !strings.Contains(text, `"code":"unavailable"`) {
				t.Errorf("%s: %d, %v, %s", path, status, err, text)
			}
		}
	})
}
