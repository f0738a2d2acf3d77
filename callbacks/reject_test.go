package callbacks_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

func TestHOOK_24_Reject(t *testing.T) {
	tests := map[string]struct {
		rejection error
		code      roster.Code
		status    int
		message   string
		fields    roster.FieldErrors
	}{
		"has status 403":       {callbacks.Reject("no_jobs"), "no_jobs", 403, "", nil},
		"carries a status":     {callbacks.Reject("no_jobs").Status(409), "no_jobs", 409, "", nil},
		"carries the least":    {callbacks.Reject("no_jobs").Status(400), "no_jobs", 400, "", nil},
		"carries the greatest": {callbacks.Reject("no_jobs").Status(499), "no_jobs", 499, "", nil},
		"makes 200 a 403":      {callbacks.Reject("no_jobs").Status(200), "no_jobs", 403, "", nil},
		"makes 399 a 403":      {callbacks.Reject("no_jobs").Status(399), "no_jobs", 403, "", nil},
		"makes 500 a 403":      {callbacks.Reject("no_jobs").Status(409).Status(500), "no_jobs", 403, "", nil},
		"explains itself":      {callbacks.Reject("no_jobs").Message("Not today."), "no_jobs", 403, "Not today.", nil},
		"names fields, sorted": {
			callbacks.Reject("no_jobs").Field("plan").Field("email"), "no_jobs", 403, "",
			roster.FieldErrors{{Field: "email", Code: "no_jobs"}, {Field: "plan", Code: "no_jobs"}},
		},
		"carries all at once": {
			callbacks.Reject("no_jobs").Field("email").Status(409).Message("Not today."), "no_jobs", 409, "Not today.",
			roster.FieldErrors{{Field: "email", Code: "no_jobs"}},
		},
		"takes 64 characters":         {callbacks.Reject(roster.Code(strings.Repeat("a", 64))), roster.Code(strings.Repeat("a", 64)), 403, "", nil},
		"refuses 65 characters":       {callbacks.Reject(roster.Code(strings.Repeat("a", 65))), roster.CodeForbidden, 403, "", nil},
		"refuses what is no code":     {callbacks.Reject("No jobs"), roster.CodeForbidden, 403, "", nil},
		"refuses an empty code":       {callbacks.Reject(""), roster.CodeForbidden, 403, "", nil},
		"is found wrapped once":       {fmt.Errorf("ask: %w", callbacks.Reject("no_jobs").Status(409)), "no_jobs", 409, "", nil},
		"is found wrapped twice":      {fmt.Errorf("a: %w", fmt.Errorf("b: %w", callbacks.Reject("no_jobs"))), "no_jobs", 403, "", nil},
		"is found among joined ones":  {errors.Join(errors.New("a"), callbacks.Reject("no_jobs")), "no_jobs", 403, "", nil},
		"keeps its status if wrapped": {fmt.Errorf("a: %w", callbacks.Reject("no_jobs").Status(500)), "no_jobs", 403, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(time.Second)
			d.point.Before(func(context.Context, *shelf) error { return tt.rejection })
			err := d.operate(t.Context(), d.runner(callbacks.Methods[*shelf]{}), &shelf{})
			var got *roster.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *roster.Error", err)
			}
			if got.Code != tt.code || got.Status != tt.status || got.Message != tt.message {
				t.Errorf("got %s, status %d, message %q; want %s, %d, %q", got.Code, got.Status, got.Message, tt.code, tt.status, tt.message)
			}
			if diff := cmp.Diff(tt.fields, got.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("can be kept in a variable and added to", func(t *testing.T) {
		base := callbacks.Reject("no_jobs").Field("email")
		_ = base.Field("plan").Status(409).Message("Not today.")
		if got := base.Field("phone"); got.Error() != "no_jobs: email:no_jobs, phone:no_jobs" || base.Error() != "no_jobs: email:no_jobs" {
			t.Errorf("got %q from %q", got, base)
		}
	})
}
