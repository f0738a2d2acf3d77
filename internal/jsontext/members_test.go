package jsontext_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/roster-go/roster/internal/jsontext"
)

// FuzzMembers compares Members with package json.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a" : 1 , "b":[1,{"c":"}]\"\\"}],"":null}`, `{"\u0041\"":"\\","x":-1.5e3 ,"y":true}`,
		"\n{\"a\":\n{ }\t}\r", `{"a":{"a":{}},"b":""}`, `{"ä,:{":" "}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil || !jsontext.Clean(text) {
			t.Skip()
		}
		got := maps.Collect(jsontext.Members(text))
		if len(got) != len(want) {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Errorf("%q: %q is %q, want %q", text, name, got[name], value)
			}
		}
	})
}
