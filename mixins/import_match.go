package mixins

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// outcome is what becomes of a line.
type outcome int

const (
	fails outcome = iota
	creates
	updates
	staysAsIs
	skips
)

// verdict is what was decided about a line, as the database was then.
type verdict[U roster.Model] struct {
	outcome outcome
	target  U // who is there already
	faults  roster.FieldErrors
}

// found are the users whom lines may be about.
type found[U roster.Model] struct {
	byID  map[roster.ID]U
	byKey map[string]U
}

// keys name the identifiers of a line, each with its kind: a username may look like a phone number of another.
func (l *line[U]) keys() []string { return keysOf(l.names) }

func keysOf(n names) []string {
	var list []string
	for i, value := range n.slots() {
		if *value != nil {
			list = append(list, slotNames[i]+":"+**value)
		}
	}
	return list
}

var slotNames = [...]string{"username", "email", "phone"}

// find looks for all users whom lines may be about.
func (x *importer[U]) find(ctx context.Context, lines []*line[U]) (found[U], error) {
	c := x.core
	f := found[U]{byID: map[roster.ID]U{}, byKey: map[string]U{}}
	var want store.Wanted
	for _, l := range lines {
		if l.id != (roster.ID{}) {
			want.IDs = append(want.IDs, l.id)
		}
		for i, list := range []*[]string{&want.Usernames, &want.Emails, &want.Phones} {
			if value := *l.names.slots()[i]; value != nil {
				*list = append(*list, *value)
			}
		}
	}
	var users []U
	err := c.Store.FindUsers(ctx, want, func() []any {
		u := c.Plan.New()
		users = append(users, u)
		return c.Plan.dest(u)
	})
	for _, u := range users {
		c.Plan.settle(u)
		f.byID[u.Base().ID] = u
		for _, key := range keysOf(c.canonical(u)) {
			f.byKey[key] = u
		}
	}
	return f, err
}

// decide tells what becomes of a line. Whatever it says of somebody who was there is judged again when it is done.
func (x *importer[U]) decide(l *line[U], f found[U]) verdict[U] {
	var none U
	if len(l.faults) > 0 {
		return verdict[U]{faults: l.faults}
	}
	if earlier := x.claims[l.id]; earlier > 0 {
		return x.conflict(taken("id", earlier))
	}
	target, others := x.targetOf(l, f)
	switch {
	case any(target) == any(none) && len(others) == 0:
		return x.decideNew(l)
	case any(target) == any(none):
		return x.conflict(others...)
	}
	earlier := x.claims[target.Base().ID]
	conflicts := append(x.matched(l, target, earlier), others...)
	if earlier > 0 {
		return x.conflict(conflicts...)
	}
	forbidden := x.unchangeable(l, target)
	switch {
	case len(others) == 0 && len(forbidden) == 0 && x.saysNothingNew(l, target):
		return verdict[U]{outcome: staysAsIs, target: target}
	case x.options.OnConflict != roster.ConflictUpdates || target.Base().Anonymised():
		return x.conflict(conflicts...)
	case len(others)+len(forbidden) > 0:
		return verdict[U]{faults: append(forbidden, others...)}
	}
	return verdict[U]{outcome: updates, target: target}
}

// decideNew is decide for somebody who is not there. Nobody becomes free by being moved, from a ban for example.
func (x *importer[U]) decideNew(l *line[U]) verdict[U] {
	faults := x.unwritable(l, x.core.Plan.New())
	for _, state := range l.states {
		faults.Add(state, roster.ForbiddenField)
	}
	if len(faults) > 0 {
		return verdict[U]{faults: faults}
	}
	return verdict[U]{outcome: creates}
}

// conflict is a line about somebody who is there already.
func (x *importer[U]) conflict(faults ...roster.FieldError) verdict[U] {
	if x.options.OnConflict == roster.ConflictSkips {
		return verdict[U]{outcome: skips}
	}
	return verdict[U]{faults: faults}
}

// taken is the fault of an id or an identifier that somebody has; earlier is the line that they were of, or 0.
func taken(field string, earlier int) roster.FieldError {
	e := roster.FieldError{Field: field, Code: roster.Taken}
	if earlier > 0 {
		e.Params = map[string]any{"line": earlier}
	}
	return e
}

// targetOf returns whom a line is about, and the identifiers that others have. By identifiers alone it is about the first
// who has one of them.
func (x *importer[U]) targetOf(l *line[U], f found[U]) (target U, others []roster.FieldError) {
	var none U
	target = f.byID[l.id]
	for i, value := range l.names.slots() {
		if *value == nil {
			continue
		}
		key := slotNames[i] + ":" + **value
		holder, held := f.byKey[key]
		switch earlier := x.names[key]; {
		case earlier > 0:
			others = append(others, taken(slotNames[i], earlier))
		case !held:
		case any(target) == any(none) && l.id == (roster.ID{}):
			target = holder
		case any(target) == any(none) || holder.Base().ID != target.Base().ID:
			others = append(others, taken(slotNames[i], x.claims[holder.Base().ID]))
		}
	}
	return target, others
}

// matched are the faults of a line about somebody who is there already: by what they were found.
func (x *importer[U]) matched(l *line[U], target U, earlier int) []roster.FieldError {
	if l.id == target.Base().ID {
		return []roster.FieldError{taken("id", earlier)}
	}
	var list []roster.FieldError
	has := x.core.canonical(target)
	for i, value := range l.names.slots() {
		if *value != nil && equalValues(*value, *has.slots()[i]) {
			list = append(list, taken(slotNames[i], earlier))
		}
	}
	return list
}

// unchangeable are the faults of what a line says otherwise than it is, and no update changes.
func (x *importer[U]) unchangeable(l *line[U], target U) roster.FieldErrors {
	var faults roster.FieldErrors
	b := target.Base()
	if l.permissions != nil && !slices.Equal(roster.NewPermissions(*l.permissions...), roster.NewPermissions(b.Permissions...)) {
		faults.Add("permissions", roster.ForbiddenField)
	}
	if l.superuser != nil && *l.superuser != b.Superuser {
		faults.Add("superuser", roster.ForbiddenField)
	}
	is := map[string]bool{"banned": b.BannedAt != nil, "archived": b.ArchivedAt != nil, "deleted": b.DeletedAt != nil}
	for _, state := range l.states {
		if !is[state] {
			faults.Add(state, roster.ForbiddenField)
		}
	}
	return append(faults, x.unwritable(l, target)...)
}

// unwritable are the faults of fields that nobody writes and that are otherwise of a user than the line says.
func (x *importer[U]) unwritable(l *line[U], u U) roster.FieldErrors {
	if len(l.fixed) == 0 {
		return nil
	}
	var faults roster.FieldErrors
	scratch := x.core.Plan.clone(u)
	for _, name := range slices.Sorted(maps.Keys(l.fixed)) {
		f := x.core.Plan.byName[name]
		if isNull(l.fixed[name]) && !f.nullable {
			continue
		}
		if code := f.decode(scratch, l.fixed[name]); code != "" {
			faults.Add(name, code)
		}
	}
	x.core.Plan.settle(scratch)
	for _, f := range x.core.Plan.changed(u, scratch) {
		faults.Add(f.Name, roster.ForbiddenField)
	}
	return faults
}

// saysNothingNew reports whether the members of a line are those that the user has.
func (x *importer[U]) saysNothingNew(l *line[U], target U) bool {
	edited := x.core.Plan.clone(target)
	if faults := x.edit(edited, l.members); len(faults) > 0 {
		return false
	}
	return len(x.core.Plan.changed(target, edited)) == 0
}

// edit writes the members of a line into a user who is there. Identifiers that come to the same keep their spelling.
func (x *importer[U]) edit(u U, members map[string]json.RawMessage) roster.FieldErrors {
	c := x.core
	before := c.Plan.clone(u)
	faults := c.Plan.decodeMembers(u, members, roster.WriterAdmin)
	was, is := c.canonical(before), c.canonical(u)
	for i, value := range slots(u.Base()) {
		if equalValues(*was.slots()[i], *is.slots()[i]) && *is.slots()[i] != nil {
			*value = *slots(before.Base())[i]
		}
	}
	var ignore roster.FieldErrors // what is wrong with them is told by Update
	checkPreferences(u.Base(), &ignore)
	c.Plan.settle(u)
	return faults
}
