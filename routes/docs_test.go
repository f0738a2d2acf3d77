package routes_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster/routes"
)

// docs/http.md has a row for every endpoint, with its method and permission.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	user, err := routes.User(echo.New().Group(""), fake{}, routes.Config{Services: known})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := routes.Admin(echo.New().Group(""), fakeAdmin{}, routes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		for name := range strings.SplitSeq(cells[min(1, len(cells)-1)], "·") {
			rows[strings.Trim(name, " `")] = line
		}
	}
	for _, r := range append(user.Routes(), admin.Routes()...) {
		row := rows[r.Name]
		for _, want := range []string{r.Method, strings.TrimSuffix(r.Permission, "superuser")} {
			if !strings.Contains(row, want) {
				t.Errorf("the row of %s lacks %q: %q", r.Name, want, row)
			}
		}
		if limit := fmt.Sprint(r.Limit); r.Permission == "" && r.Limit > 0 && !strings.Contains(row, " "+limit+" ") {
			t.Errorf("the row of %s lacks the limit %s: %q", r.Name, limit, row)
		}
	}
}
