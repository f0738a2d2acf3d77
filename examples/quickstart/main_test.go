package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roster-go/roster/rostertest"
)

func TestQuickstart(t *testing.T) {
	_, e, err := newServer(rostertest.Open(t, rostertest.SQLite))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	defer server.Close()

	got := rostertest.Call(t, http.MethodPost, server.URL+"/api/register", "", `{"username":"eve","password":"correct horse battery","company":"Evil Corp"}`)
	if got.Status != http.StatusUnprocessableEntity || !strings.Contains(got.Body, `"company_refused"`) {
		t.Errorf("register that the hook vetoes: %+v", got)
	}
	got = rostertest.Call(t, http.MethodPost, server.URL+"/api/register", "", `{"username":"ann","password":"correct horse battery","company":"Acme"}`)
	if got.Status != http.StatusCreated || !strings.Contains(got.Body, `"plan":"free"`) {
		t.Fatalf("register: %+v", got)
	}
	token := got.AccessToken(t)
	if got = rostertest.Call(t, http.MethodGet, server.URL+"/hello", token, ""); got.Body != "Hello ann of Acme\n" {
		t.Errorf("the program's own route: %+v", got)
	}
	if got = rostertest.Call(t, http.MethodGet, server.URL+"/hello", "", ""); got.Status != http.StatusUnauthorized {
		t.Errorf("the program's own route without a token: %+v", got)
	}
	got = rostertest.Call(t, http.MethodPost, server.URL+"/api/token/verify", "", `{"token":"`+token+`"}`)
	if !strings.Contains(got.Body, `"plan":"free"`) {
		t.Errorf("the program's own claim: %+v", got)
	}
	if got = rostertest.Call(t, http.MethodGet, server.URL+"/api/admin/users", token, ""); got.Status != http.StatusForbidden {
		t.Errorf("administration by a plain user: %+v", got)
	}
}
