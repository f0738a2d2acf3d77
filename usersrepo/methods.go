package usersrepo

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

// checkMethods refuses methods of a program's type that look like hooks and are none: a hook whose name is misspelt
// would never run, and nobody would notice.
func checkMethods(app any, allowed []string) error {
	hooks := methodNames(reflect.TypeFor[callbacks.Lifecycle[*roster.User]]())
	var errs []error
	for _, name := range methodNames(reflect.TypeOf(app)) {
		if !looksLikeHook(name) || slices.Contains(hooks, name) || slices.Contains(allowed, name) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: no such hook: did you mean %s? (Config.AllowMethods lists names that are no hooks)", name, nearest(name, hooks)))
	}
	return errors.Join(errs...)
}

// checkModel refuses methods of the users' type that are written as hooks: they would never run either.
func checkModel(user reflect.Type, allowed []string) error {
	hooks := methodNames(reflect.TypeFor[callbacks.Lifecycle[*roster.User]]())
	var errs []error
	for m := range user.Methods() {
		if !slices.Contains(hooks, m.Name) || slices.Contains(allowed, m.Name) || m.Type.NumIn() < 2 || m.Type.In(1) != reflect.TypeFor[context.Context]() {
			continue
		}
		errs = append(errs, fmt.Errorf("%s of %s never runs: hooks are methods of the type that embeds UsersRepo", m.Name, user))
	}
	return errors.Join(errs...)
}

func methodNames(t reflect.Type) []string {
	names := make([]string, t.NumMethod())
	for i := range names {
		names[i] = t.Method(i).Name
	}
	return names
}

func looksLikeHook(name string) bool {
	for _, prefix := range []string{"Before", "After", "On"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			first, _ := utf8.DecodeRuneInString(rest)
			return unicode.IsUpper(first)
		}
	}
	return false
}

func nearest(name string, names []string) string {
	if phase, ok := strings.CutSuffix(name, "Register"); ok && slices.Contains(names, phase+"Create") {
		return phase + "Create" // registering creates, and has no event of its own
	}
	return slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is how many letters must be added, taken away, replaced or swapped with the next to make a of b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
