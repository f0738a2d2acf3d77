package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/transfer"
)

// shelf is a repo of one user.
type shelf struct{ nick string }

func (shelf) Fields() []roster.Field {
	return []roster.Field{{Name: "id"}, {Name: "nick", Type: reflect.TypeFor[string](), Custom: true}}
}

func (s shelf) ExportUsers(_ context.Context, _ roster.Query, o roster.ExportOptions) iter.Seq2[roster.UserRow, error] {
	return func(yield func(roster.UserRow, error) bool) {
		row := roster.UserRow{Columns: roster.ExportColumns(s.Fields(), o)}
		for _, name := range row.Columns {
			value := json.RawMessage("null")
			if name == "nick" {
				value, _ = json.Marshal(s.nick)
			}
			row.Values = append(row.Values, value)
		}
		yield(row, nil)
	}
}

func ExampleExport() {
	var file strings.Builder
	_ = transfer.Export(context.Background(), &file, transfer.CSV, shelf{"=1+1"}, roster.Query{}, roster.ExportOptions{})
	fmt.Print(strings.ReplaceAll(file.String(), "\r", ""))
	// Output:
	// "id","username","email","email_verified","phone","phone_verified","permissions","superuser","language","time_zone","created_at","updated_at","last_login_at","version","banned","archived","deleted","has_password","nick"
	// ,,,,,,,,,,,,,,,,,,"'=1+1"
}

func ExampleLines() {
	const file = "username,nick\nann,'=1+1\nbob,\n"
	for line, err := range transfer.Lines(strings.NewReader(file), transfer.CSV) {
		if err != nil {
			panic(err)
		}
		fmt.Println(line.Number, *line.Cells["username"], line.Cells["nick"] != nil)
	}
	// Output:
	// 2 ann true
	// 3 bob false
}

// ADMIN-78: a line of JSON is one line, and says nothing to a terminal.
func TestLinesOfJSON(t *testing.T) {
	t.Parallel()
	nick := "a\nb\u2028c\u009bd\u202e\x1b"
	var file strings.Builder
	if err := transfer.Export(t.Context(), &file, transfer.NDJSON, shelf{nick}, roster.Query{}, roster.ExportOptions{Hashes: true}); err != nil {
		t.Fatal(err)
	}
	if text := strings.TrimSuffix(file.String(), "\n"); strings.ContainsAny(text, "\n\u2028\u009b\u202e\x1b") || !strings.Contains(text, `"password_hash":null}`) {
		t.Errorf("%q", text)
	}
	for line, err := range transfer.Lines(strings.NewReader(file.String()), transfer.NDJSON) {
		var got struct{ Nick string }
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line.Document, &got); err != nil || got.Nick != nick {
			t.Errorf("%q, %v", got.Nick, err)
		}
	}
}

// ADMIN-71: what is read of a file, a line each: its number, and its fault.
func TestLines(t *testing.T) {
	t.Parallel()
	full := `{"a":"` + strings.Repeat("x", transfer.MaxLine-8) + `"}`
	for _, x := range []struct {
		file   string
		format transfer.Format
		want   []string
	}{
		{"\uFEFF{}\r\n\n  \n{}", transfer.NDJSON, []string{"1 []", "4 []"}},
		{full + "\r\n" + full + " \n{\xff}\n", transfer.NDJSON, []string{"1 []", "2 [:too_long]", "3 [:invalid]"}},
		{"\uFEFFa,b\n\n1,2\n3\n\"x\ny\",\n", transfer.CSV, []string{"3 []", "4 [:invalid]", "5 []"}},
		{"a\n" + strings.Repeat("x", transfer.MaxLine+1) + "\nok", transfer.CSV, []string{"2 [:too_long]", "3 []"}},
	} {
		var got []string
		for line, err := range transfer.Lines(strings.NewReader(x.file), x.format) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(line.Number, " ", line.Faults))
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", x.file, diff)
		}
	}
}

func TestLinesOfABrokenFile(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	for _, format := range []transfer.Format{transfer.NDJSON, transfer.CSV} {
		in := io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(broken))
		var last error
		for _, last = range transfer.Lines(in, format) {
		}
		if !errors.Is(last, broken) {
			t.Errorf("%s: %v", format, last)
		}
	}
}
