package callbacks_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
)

type user struct{ roster.User }

// An event is one point of a Set.
type event struct {
	name string
	veto bool // it has a Before
	typ  reflect.Type
}

// events are the points of a Set, and the types that their functions get.
func events() []event {
	var list []event
	set := reflect.TypeFor[callbacks.Set[*user]]()
	for f := range set.Fields() {
		point := reflect.PointerTo(f.Type)
		_, veto := point.MethodByName("Before")
		after, _ := point.MethodByName("After")
		list = append(list, event{f.Name, veto, after.Type.In(1).In(1).Elem()})
	}
	return list
}

func methodNames(t reflect.Type) []string {
	var names []string
	for m := range t.Methods() {
		names = append(names, m.Name)
	}
	return names
}

func TestHOOK_18_SetHasAPointForEachEvent(t *testing.T) {
	var want []string
	for _, e := range events() {
		if name, _, _ := strings.Cut(e.typ.Name(), "["); name != e.name {
			t.Errorf("the point %s is one of the event %s", e.name, name)
		}
		want = append(want, "After"+e.name, "On"+e.name)
		if e.veto {
			want = append(want, "Before"+e.name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, methodNames(reflect.TypeFor[callbacks.Lifecycle[*user]]())); diff != "" {
		t.Errorf("hooks of Lifecycle (-want by Set +got):\n%s", diff)
	}
}

// HOOK-64: of what has happened already there is no Before.
func TestHOOK_64_NoBefore(t *testing.T) {
	var got []string
	for _, e := range events() {
		if !e.veto {
			got = append(got, e.name)
		}
	}
	if diff := cmp.Diff([]string{"LoginFailed", "SessionRevoke", "TokenReuse", "Lockout"}, got); diff != "" {
		t.Errorf("events without Before (-want +got):\n%s", diff)
	}
}

func TestNopDoesNothing(t *testing.T) {
	var hooks callbacks.Lifecycle[*user] = callbacks.Nop[*user]{}
	v := reflect.ValueOf(hooks)
	if diff := cmp.Diff(methodNames(reflect.TypeFor[callbacks.Lifecycle[*user]]()), methodNames(v.Type())); diff != "" {
		t.Errorf("methods of Nop (-want +got):\n%s", diff)
	}
	for i := range v.NumMethod() {
		m := v.Method(i)
		got := m.Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.Zero(m.Type().In(1))})
		if !got[0].IsNil() {
			t.Errorf("%s returns %v", v.Type().Method(i).Name, got[0])
		}
	}
}

func TestHOOK_37_EveryEventCarriesTheActorAndTheTime(t *testing.T) {
	for _, e := range events() {
		f, ok := e.typ.FieldByName("Event")
		if !ok || !f.Anonymous || f.Type != reflect.TypeFor[callbacks.Event]() {
			t.Errorf("%s does not embed Event", e.name)
		}
	}
	for name, want := range map[string]reflect.Type{"Actor": reflect.TypeFor[roster.Actor](), "At": reflect.TypeFor[time.Time]()} {
		if f, ok := reflect.TypeFor[callbacks.Event]().FieldByName(name); !ok || f.Type != want {
			t.Errorf("Event has no %s of type %s", name, want)
		}
	}
}

// HOOK-38: what could hold a secret is not even there. That none gets in by another field is tested with real ones in
// integration_test.
func TestHOOK_38_NoFieldForASecret(t *testing.T) {
	secret := []string{"password", "hash", "token", "code", "secret", "otp", "link"}
	var look func(path string, typ reflect.Type)
	look = func(path string, typ reflect.Type) {
		if typ == reflect.TypeFor[roster.Secret]() {
			t.Errorf("%s is a secret", path)
		}
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ.PkgPath() == "time" {
			return
		}
		for f := range typ.Fields() {
			if slices.ContainsFunc(secret, func(word string) bool { return strings.Contains(strings.ToLower(f.Name), word) }) {
				t.Errorf("%s.%s has the name of a secret", path, f.Name)
			}
			look(path+"."+f.Name, f.Type)
		}
	}
	for _, e := range events() {
		look(e.name, e.typ)
	}
}

// HOOK-66: the user is the program's own type.
func TestHOOK_66_UserIsTyped(t *testing.T) {
	for _, e := range events() {
		if f, ok := e.typ.FieldByName("User"); ok && f.Type != reflect.TypeFor[*user]() {
			t.Errorf("%s.User is a %s", e.name, f.Type)
		}
	}
	if f, _ := reflect.TypeFor[callbacks.MessageData[*user]]().FieldByName("User"); f.Type != reflect.TypeFor[*user]() {
		t.Errorf("MessageData.User is a %s", f.Type)
	}
}
