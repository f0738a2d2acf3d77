package integration_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/routes"
)

// HTTP-73: the documents are valid OpenAPI 3.1.
func TestDocuments(t *testing.T) {
	t.Parallel()
	s := openSite(t, rostertest.Open(t, rostertest.SQLite), routes.Config{})
	for name, m := range map[string]*routes.Mounted{"users": s.user, "administrators": s.admin} {
		t.Run("HTTP-73 is valid for "+name, func(t *testing.T) {
			document, err := openapi3.NewLoader().LoadFromData(m.OpenAPI())
			if err != nil {
				t.Fatal(err)
			}
			if err := document.Validate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	g := s.guest(t, "anna")
	s.do(t, "GET /api/me", nil, g.token()).succeeds(t, 200)
}
