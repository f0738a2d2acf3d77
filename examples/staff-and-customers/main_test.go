package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
)

func TestStaffAndCustomers(t *testing.T) {
	p, err := newProgram(rostertest.Open(t, rostertest.SQLite))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	defer server.Close()
	const password = "correct horse battery"
	clerk := &Employee{User: roster.User{Username: new("ann")}, Desk: "3rd floor"}
	if _, err := p.staff.Create(t.Context(), clerk, roster.WithPassword(password), roster.WithPermissions("customers:read")); err != nil {
		t.Fatal(err)
	}

	// The same name on both sides is two people.
	customer := rostertest.Call(t, http.MethodPost, server.URL+"/shop/register", "",
		`{"username":"ann","password":"`+password+`"}`).AccessToken(t)
	got := rostertest.Call(t, http.MethodPost, server.URL+"/staff/register", "", `{"username":"eve","password":"`+password+`"}`)
	if got.Status != http.StatusNotFound {
		t.Errorf("register as staff: %+v", got)
	}
	token := rostertest.Call(t, http.MethodPost, server.URL+"/staff/login", "", `{"login":"ann","password":"`+password+`"}`).AccessToken(t)
	if got = rostertest.Call(t, http.MethodGet, server.URL+"/staff/customers", token, ""); !strings.Contains(got.Body, `["ann"]`) {
		t.Errorf("list customers as staff: %+v", got)
	}
	if got = rostertest.Call(t, http.MethodGet, server.URL+"/staff/customers", customer, ""); got.Status != http.StatusUnauthorized {
		t.Errorf("list customers with a customer's token: %+v", got)
	}
}
