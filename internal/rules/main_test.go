package main_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	main "github.com/roster-go/roster/internal/rules"
)

// The prefixes TEA and CUP stand in no docs/rules: this file is read by the program that it tests.
const rules = `# Tea

Ids: TEA-n. TEA-90 is mentioned only.

| id | rule | from |
| --- | --- | --- |
| TEA-5 | It is hot. | ours |
| TEA-57 | It is not ` + "`a \\| b`" + `. | ours |

## Cups

| id | rule | ref | test |
| --- | --- | --- | --- |
| CUP-1 ` + "`Fill()`" + ` | It is filled. | ours | a full one |
| CUP-2 | It is washed. (later) | ours | a clean one |

- TEA-6: see CUP-1
`

func TestRun(t *testing.T) {
	tests := map[string]struct {
		test    string
		missing []string
	}{
		"lists what no test names":          {"", []string{"TEA-5", "TEA-57", "CUP-1"}},
		"finds ids in comments and texts":   {"// TEA-5, TEA-57\n" + `t.Run("CUP-1: is full")`, nil},
		"finds ids in the names of tests":   {"func TestTEA_5IsHot(\nfunc FuzzTEA57(\nfunc TestFillCUP1(", nil},
		"does not find 5 in 57":             {"// TEA-57 CUP-1", []string{"TEA-5"}},
		"does not find 57 in 5":             {"func TestTEA5(", []string{"TEA-57", "CUP-1"}},
		"does not find TEA in SWEETTEA":     {"// SWEETTEA-5 TEA-57 CUP-1", []string{"TEA-5"}},
		"wants the hyphen outside of names": {"x := TEA5 + TEA_57 // CUP-1", []string{"TEA-5", "TEA-57"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{
				"docs/rules/tea.md": {Data: []byte(rules)},
				"tea/tea.go":        {Data: []byte("// TEA-5, TEA-57, CUP-1")},
				"tea/tea_test.go":   {Data: []byte(tt.test)},
			}
			var out strings.Builder
			ok, err := main.Run(&out, root, false)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(tt.missing) == 0; ok != want {
				t.Errorf("ok = %v, want %v", ok, want)
			}
			var got []string
			for line := range strings.Lines(out.String()) {
				if _, id, found := strings.Cut(strings.TrimSpace(line), "no test names "); found {
					got = append(got, id)
				}
			}
			if diff := cmp.Diff(tt.missing, got); diff != "" {
				t.Errorf("missing rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunFindsUnknownIDs(t *testing.T) {
	root := fstest.MapFS{
		"docs/rules/tea.md":  {Data: []byte(rules)},
		"tea/tea.go":         {Data: []byte("// TEA-7, TEA-6, CUP-2, SHA-256, TEA-7")},
		"tea/teatest/tea.go": {Data: []byte("// TEA-5, TEA-57, CUP-1")},
	}
	var out strings.Builder
	ok, err := main.Run(&out, root, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := "tea/tea.go: no rule TEA-7\n3 rules, 0 without a test; 1 ids without a rule\n"; ok || out.String() != want {
		t.Errorf("%t, %q, want %q", ok, out.String(), want)
	}
}

func TestRunCounts(t *testing.T) {
	root := fstest.MapFS{
		"docs/rules/tea.md": {Data: []byte(rules)},
		"tea_test.go":       {Data: []byte("// TEA-57")},
	}
	var out strings.Builder
	if _, err := main.Run(&out, root, true); err != nil {
		t.Fatal(err)
	}
	want := `TEA       2 built    1 named by tests
CUP       1 built    0 named by tests
all       3 built    1 named by tests
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestRunRefuses(t *testing.T) {
	tests := map[string]fstest.MapFS{
		"a tree without rules": {"tea_test.go": {}},
		"a rule twice":         {"docs/rules/a.md": {Data: []byte(rules)}, "docs/rules/b.md": {Data: []byte(rules)}},
	}
	for name, root := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := main.Run(&strings.Builder{}, root, false); err == nil {
				t.Error("got no error")
			}
		})
	}
}
