package rostertest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Call sends a request to a server: body is JSON or "" for none, token an access token or "".
func Call(t testing.TB, method, url, token, body string) Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{response.StatusCode, response.Header, string(text)}
}

// Decode reads the body as JSON.
func (a Answer) Decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("decode %s: %v", a.Body, err)
	}
}

// AccessToken returns the access token of an answer to registering, logging in or refreshing.
func (a Answer) AccessToken(t testing.TB) string {
	t.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
		Tokens      struct {
			AccessToken string `json:"access_token"`
		}
	}
	a.Decode(t, &body)
	if token := body.AccessToken + body.Tokens.AccessToken; token != "" {
		return token
	}
	t.Fatalf("no access token in %s", a.Body)
	return ""
}
