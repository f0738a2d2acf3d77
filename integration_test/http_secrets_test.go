package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// spoils are what the requests to a site have seen: the secrets that were typed, given and mailed, and all that a thief
// might read of them.
type spoils struct {
	mu      sync.Mutex
	secrets map[string]string // and where each is from
	answers []string          // but for the members that give a secret to its owner
}

// The members of bodies that hold secrets: those of requests, and those of answers that give one to its owner.
var (
	typedMembers = []string{"password", "old_password", "token", "code", "refresh_token"}
	givenMembers = []string{"access_token", "refresh_token", "device_token", "reset_token", "csrf_token"}
)

// take keeps the secrets of a request and of its answer, and the rest of the answer.
func (x *spoils) take(what string, body []byte, a reply) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var typed, given any
	if json.Unmarshal(body, &typed) == nil {
		x.collect("typed in "+what, typed, typedMembers)
	}
	answer := string(a.body)
	if json.Unmarshal(a.body, &given) == nil && a.status < 300 {
		x.collect("given by "+what, given, givenMembers)
		clean, _ := json.Marshal(given)
		answer = string(clean)
	}
	header := a.header.Clone()
	for _, line := range header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil {
			x.add(c.Value, "cookie of "+what)
		}
	}
	header.Del("Set-Cookie")
	x.answers = append(x.answers, fmt.Sprintf("%d %v %s", a.status, header, answer))
}

// collect takes the secret members out of a value.
func (x *spoils) collect(where string, v any, members []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && slices.Contains(members, name) {
				x.add(text, where)
				delete(v, name)
				continue
			}
			x.collect(where, inner, members)
		}
	case []any:
		for _, inner := range v {
			x.collect(where, inner, members)
		}
	}
}

// add keeps a secret that is no word which texts have anyway.
func (x *spoils) add(secret, where string) {
	if len(secret) >= 12 && !strings.Contains(secret, "@") || sixDigits.MatchString(secret) && where == mailed {
		if x.secrets == nil {
			x.secrets = map[string]string{}
		}
		x.secrets[secret] = where
	}
}

const mailed = "mailed"

var sixDigits = regexp.MustCompile(`^\d{6}$`)

// search looks for all secrets in all that was written: answers, logs and tables, the audit trail included.
func (x *spoils) search(t testing.TB, s *site) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range s.Mailbox.All() {
		for _, secret := range []string{m.Token.Reveal(), m.Code.Reveal(), m.Link.Reveal()} {
			x.add(secret, mailed)
		}
	}
	log, tables := strings.Split(s.log.String(), "\n"), s.everything(t)
	for secret, where := range x.secrets {
		for place, lines := range map[string][]string{"an answer": x.answers, "the log": log, "the database": tables} {
			found := holding(lines, secret)
			if sixDigits.MatchString(secret) { // alone, and not a part of a number
				alone := regexp.MustCompile(`(^|[^0-9A-Za-z.])` + secret + `($|[^0-9A-Za-z.])`)
				found = slices.DeleteFunc(found, func(line string) bool { return !alone.MatchString(line) })
			}
			if len(found) > 0 {
				t.Errorf("SEC-69: a secret %s is in %s: %.500s", where, place, found[0])
			}
		}
	}
}

// SEC-69, SEC-66, SEC-114: what a test of a site would find is found.
func TestSpoils(t *testing.T) {
	t.Parallel()
	var x spoils
	x.take("POST /api/login", []byte(`{"login":"anna","password":"correct horse battery"}`), reply{
		status: 200, body: []byte(`{"user":{"id":"1"},"tokens":{"access_token":"aaaaaaaaaaaaaaaa","refresh_token":"bbbbbbbbbbbbbbbb"}}`),
	})
	same(t, []string{"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "correct horse battery"}, slices.Sorted(maps.Keys(x.secrets)))
	if strings.Contains(x.answers[0], "aaaa") || !strings.Contains(x.answers[0], `"id":"1"`) {
		t.Errorf("kept %s", x.answers[0])
	}
}
