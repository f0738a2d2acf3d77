package storetest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/store"
)

// operands of the columns that the suite asks by.
func operand(name string, kind store.ColumnKind) store.Operand {
	return store.Operand{Name: name, Kind: kind, Exact: !slices.ContainsFunc(Columns(), func(c store.Column) bool { return c.Custom && c.Name == name })}
}

var (
	company   = operand("company", store.TextColumn)
	createdAt = operand("created_at", store.TimeColumn)
)

func is(o store.Operand, op roster.Op, values ...any) store.Condition {
	return store.Condition{Operand: o, Op: op, Values: values}
}

func fact(name string, value any) store.Condition {
	return is(store.Operand{Name: name, Kind: store.BoolColumn, Exact: true}, roster.Eq, value)
}

// query is a search for the newest users.
func (s *suite) query(change ...func(*store.Search)) store.Search {
	q := store.Search{Order: []store.OrderKey{{Operand: createdAt, Descending: true}}, Limit: 20, Now: s.now}
	for _, f := range change {
		f(&q)
	}
	return q
}

// of narrows a query to the users of a company.
func of(name string) func(*store.Search) {
	return func(q *store.Search) { q.Conditions = append(q.Conditions, is(company, roster.Eq, name)) }
}

func (s *suite) search(t rapid.TB, q store.Search) (ids []roster.ID, keys [][]any, more bool) {
	t.Helper()
	var list []*account
	keys, more, err := s.SearchUsers(context.Background(), q, func() []any {
		list = append(list, &account{})
		return list[len(list)-1].dest()
	})
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	if len(ids) != len(keys) {
		t.Fatalf("%d users, %d keys", len(ids), len(keys))
	}
	return ids, keys, more
}

func (s *suite) testSearch(t *testing.T) {
	t.Run("it returns users in every Go type, newest first, and tells whether there are more", func(t *testing.T) {
		var want []*account
		for i := range 5 {
			a := s.full()
			a.Company, a.CreatedAt = "", s.now.Add(time.Duration(i/2)*time.Hour)
			noError(t, s.insert(t.Context(), a))
			want = append(want, a)
		}
		slices.Reverse(want)
		for limit, more := range map[int]bool{1: true, 4: true, 5: false, 6: false} {
			var got []*account
			keys, gotMore, err := s.SearchUsers(t.Context(), s.query(func(q *store.Search) { q.Limit = limit }), func() []any {
				got = append(got, &account{})
				return got[len(got)-1].dest()
			})
			noError(t, err)
			same(t, "more", gotMore, more)
			for _, a := range got {
				a.utc()
			}
			n := min(limit, 5)
			same(t, "users", got, want[:n])
			same(t, "keys", keys[n-1], []any{want[n-1].CreatedAt, want[n-1].ID})
		}
		same(t, "count", must(s.CountUsers(t.Context(), s.query(func(q *store.Search) { q.Limit = 1 }))), int64(5))
	})
	t.Run("it finds nobody", func(t *testing.T) {
		q := s.query(of("nobody's"))
		ids, keys, more := s.search(t, q)
		same(t, "page", []int{len(ids), len(keys)}, []int{0, 0})
		same(t, "more", more, false)
		same(t, "count", must(s.CountUsers(t.Context(), q)), int64(0))
	})
	t.Run("it finds users in whose texts all words are, and one by the id", func(t *testing.T) {
		a := s.user(t, func(a *account) { a.Company, a.Username = "Äpfel & Birnen", new("Xaver-Q") })
		b := s.user(t, func(a *account) { a.Company, a.Username = "Birnen", new("Yvonne-Q") })
		for _, tt := range []struct {
			words []string
			want  []roster.ID
		}{
			{[]string{"äpfel"}, []roster.ID{a.ID}},
			{[]string{"birnen", "-q"}, []roster.ID{b.ID, a.ID}},
			{[]string{"birnen", "yvonne"}, []roster.ID{b.ID}},
			{[]string{"äpfel", "yvonne"}, nil},
			{[]string{a.ID.String()}, []roster.ID{a.ID}},
			{[]string{strings.ToUpper(b.ID.String()), "birnen"}, []roster.ID{b.ID}},
			{[]string{newID().String()}, nil},
		} {
			ids, _, _ := s.search(t, s.query(func(q *store.Search) { q.Words = tt.words }))
			same(t, strings.Join(tt.words, " "), ids, tt.want)
		}
	})
	t.Run("it counts and estimates", func(t *testing.T) {
		for range 7 {
			s.user(t, func(a *account) { a.Company = "" })
		}
		q := s.query(func(q *store.Search) {
			q.Words, q.Conditions = []string{"example"}, []store.Condition{fact("deleted", false), is(company, roster.StartsWith, "")}
		})
		n := must(s.CountUsers(t.Context(), q))
		same(t, "at least", n >= 7, true)
		if s.Dialect() == store.SQLite {
			same(t, "estimate", must(s.EstimateUsers(t.Context(), q)), n)
		} else if estimate := must(s.EstimateUsers(t.Context(), q)); estimate < 0 {
			t.Errorf("got %d", estimate)
		}
	})
	t.Run("it walks over all users in the order of their ids", func(t *testing.T) {
		s.user(t)
		var got []*account
		noError(t, s.WalkUsers(t.Context(), roster.ID{}, func() []any {
			got = append(got, &account{})
			return got[len(got)-1].dest()
		}))
		same(t, "users", len(got), s.count(t, s.UsersTable(), "id IS NOT NULL"))
		same(t, "sorted", slices.IsSortedFunc(got, func(a, b *account) int { return cmp.Compare(a.ID.String(), b.ID.String()) }), true)
		rest := 0
		noError(t, s.WalkUsers(t.Context(), got[2].ID, func() []any { rest++; return (&account{}).dest() }))
		same(t, "rest", rest, len(got)-3)
	})
	t.Run("it writes a search text of the version that it was made of", func(t *testing.T) {
		a := s.user(t)
		for _, tt := range []struct {
			version int64
			text    string
			want    int64
		}{{2, "new", 0}, {1, "new", 1}, {1, "new", 0}} {
			same(t, "written", must(s.SetSearch(t.Context(), a.ID, tt.version, tt.text)), tt.want)
		}
		ids, _, _ := s.search(t, s.query(func(q *store.Search) { q.Words = []string{"new"} }))
		same(t, "found", ids, []roster.ID{a.ID})
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (s *suite) testFilters(t *testing.T) {
	now := s.now
	tenant := newID()
	users := []*account{
		s.user(t),
		s.user(t, func(a *account) {
			a.Nickname, a.Seats, a.Score, a.Active, a.JoinedAt, a.LeftAt = new("Anna"), 1, 1.5, true, now, &now
			a.Language, a.EmailVerifiedAt, a.Superuser, a.Tenant = new("de"), &now, true, tenant
			a.Permissions = roster.NewPermissions("users:read", `odd "name"`)
		}),
		s.user(t, func(a *account) {
			a.Nickname, a.Seats, a.Score, a.LeftAt = new("anna"), 2, -1.5, new(now.Add(time.Microsecond))
			a.Language, a.BannedAt, a.ArchivedAt = new("de-AT"), &now, &now
			a.Permissions = roster.NewPermissions("users:read:all")
		}),
		s.user(t, func(a *account) {
			a.Nickname, a.Seats, a.Language = new("ANN_B%"), 3, new("DE-at")
			a.BannedAt, a.BannedUntil = &now, new(now.Add(time.Microsecond))
			a.DeletedAt = &now
		}),
		s.user(t, func(a *account) {
			a.Nickname, a.Seats = new("Änna"), 4
			a.BannedAt, a.BannedUntil = &now, &now
			a.Phone, a.PhoneVerifiedAt = new("+431234567"), &now
			a.Tier = gold
		}),
	}
	noError(t, s.PutPassword(t.Context(), users[1].ID, store.Password{Hash: "h", ChangedAt: now}))
	for i, provider := range []string{"x", "y", "x"} {
		noError(t, s.InsertSocial(t.Context(), users[i+1].ID, roster.SocialAccount{Provider: provider, Subject: provider + string(rune('0'+i)), LinkedAt: now}))
	}
	nickname, seats := operand("nickname", store.TextColumn), operand("seats", store.IntColumn)
	score, language := operand("score", store.FloatColumn), operand("language", store.TextColumn)
	leftAt, active := operand("left_at", store.TimeColumn), operand("active", store.BoolColumn)
	email := store.Operand{Name: "email_canonical", Kind: store.TextColumn, Exact: true}
	phone := store.Operand{Name: "phone", Kind: store.TextColumn, Exact: true}
	id := store.Operand{Name: "id", Kind: store.IDColumn, Exact: true}
	set := func(name string) store.Operand { return store.Operand{Name: name, Kind: store.TextColumn, Exact: true} }
	mail := func(i int) string { return *lower(users[i].Email) }
	for _, tt := range []struct {
		condition store.Condition
		want      string // digits: the places of those who are found
	}{
		{is(nickname, roster.Eq, "anna"), "2"},
		{is(nickname, roster.Ne, "anna"), "0134"},
		{is(nickname, roster.In, "anna", "Änna", "nobody"), "24"},
		{is(nickname, roster.Contains, "NN"), "1234"},
		{is(nickname, roster.Contains, "_"), "3"},
		{is(nickname, roster.Contains, "%"), "3"},
		{is(nickname, roster.Contains, `\`), ""},
		{is(nickname, roster.Contains, "ä"), ""},
		{is(nickname, roster.Contains, "Änn"), "4"},
		{is(nickname, roster.StartsWith, "aNN"), "123"},
		{is(nickname, roster.StartsWith, "ann_b%"), "3"},
		{is(nickname, roster.StartsWith, ""), "1234"},
		{is(nickname, roster.IsNull, true), "0"},
		{is(nickname, roster.IsNull, false), "1234"},
		{is(seats, roster.Lt, int64(2)), "01"},
		{is(seats, roster.Lte, int64(2)), "012"},
		{is(seats, roster.Gt, int64(2)), "34"},
		{is(seats, roster.Gte, int64(2)), "234"},
		{is(seats, roster.In, int64(0), int64(4)), "04"},
		{is(score, roster.Eq, -1.5), "2"},
		{is(score, roster.Gt, -0.5), "0134"},
		{is(leftAt, roster.Gt, now), "2"},
		{is(leftAt, roster.Gte, now), "12"},
		{is(leftAt, roster.Lte, now), "1"},
		{is(leftAt, roster.Eq, now.In(time.FixedZone("far", 3600))), "1"},
		{is(leftAt, roster.Ne, now), "0234"},
		{is(active, roster.Eq, true), "1"},
		{is(active, roster.Eq, false), "0234"},
		{is(language, roster.Eq, "de"), "1"},
		{is(language, roster.StartsWith, "de"), "12"},
		{is(language, roster.Contains, "at"), "3"},
		{is(language, roster.IsNull, true), "04"},
		{is(email, roster.Eq, mail(2)), "2"},
		{is(email, roster.In, mail(2), mail(4)), "24"},
		{is(email, roster.StartsWith, mail(3)[:37]), "3"},
		{is(email, roster.Contains, mail(3)[20:45]), "3"},
		{is(phone, roster.StartsWith, "+43"), "4"},
		{is(phone, roster.Ne, "+431234567"), "0123"},
		{is(id, roster.Eq, users[1].ID), "1"},
		{is(id, roster.In, users[1].ID, users[2].ID, newID()), "12"},
		{is(operand("tenant", store.IDColumn), roster.Eq, tenant), "1"},
		{is(operand("tier", store.TextColumn), roster.Eq, "gold"), "4"},
		{is(operand("superuser", store.BoolColumn), roster.Eq, true), "1"},
		{is(createdAt, roster.Lt, now.Add(1000)), "01234"},
		{fact("email_verified", true), "1"},
		{fact("email_verified", false), "0234"},
		{fact("phone_verified", true), "4"},
		{fact("banned", true), "23"},
		{fact("banned", false), "014"},
		{fact("archived", true), "2"},
		{fact("archived", false), "0134"},
		{fact("deleted", true), "3"},
		{fact("deleted", false), "0124"},
		{fact("has_password", true), "1"},
		{fact("has_password", false), "0234"},
		{is(set("provider"), roster.Eq, "x"), "13"},
		{is(set("provider"), roster.In, "x", "y"), "123"},
		{is(set("provider"), roster.Eq, "z"), ""},
		{is(set("permission"), roster.Eq, "users:read"), "1"},
		{is(set("permission"), roster.In, "users:read:all", `odd "name"`), "12"},
		{is(set("permission"), roster.Eq, "users"), ""},
	} {
		var got strings.Builder
		ids, _, _ := s.search(t, s.query(func(q *store.Search) { q.Conditions = []store.Condition{tt.condition} }))
		for i, a := range users {
			if slices.Contains(ids, a.ID) {
				got.WriteString(string(rune('0' + i)))
			}
		}
		if got.String() != tt.want || len(ids) != len(got.String()) {
			t.Errorf("%s %s %v: got %q (%d users), want %q", tt.condition.Operand.Name, tt.condition.Op, tt.condition.Values, got.String(), len(ids), tt.want)
		}
		n, err := s.CountUsers(t.Context(), s.query(func(q *store.Search) { q.Conditions = []store.Condition{tt.condition} }))
		if err != nil || int(n) != len(tt.want) {
			t.Errorf("%s %s %v: counted %d, %v", tt.condition.Operand.Name, tt.condition.Op, tt.condition.Values, n, err)
		}
	}
	t.Run("it combines conditions by and", func(t *testing.T) {
		ids, _, _ := s.search(t, s.query(func(q *store.Search) {
			q.Words = []string{"example"}
			q.Conditions = []store.Condition{fact("banned", true), is(seats, roster.Gt, int64(2)), is(set("provider"), roster.In, "x", "y")}
		}))
		same(t, "found", ids, []roster.ID{users[3].ID})
	})
	t.Run("it takes a column of the program's for what it is, whatever its name", func(t *testing.T) { s.namesakes(t) })
	t.Run("it takes every character of a text for itself", func(t *testing.T) { s.literally(t) })
}

// namesakes are the program's own columns that are called like what is no column.
func (s *suite) namesakes(t *testing.T) {
	columns := Columns()
	for _, name := range []string{"banned", "deleted", "provider", "permission"} {
		kind := map[bool]string{true: "boolean", false: "text"}[name == "banned" || name == "deleted"]
		s.sql(t, "ALTER TABLE %s ADD COLUMN %s %s", s.UsersTable(), name, kind)
		columns = append(columns, store.Column{Name: name, Field: "x_" + name, Custom: true, Nullable: true})
	}
	x := *s
	x.Store = s.open(t, s.DB, columns)
	a := s.user(t)
	s.sql(t, "UPDATE %s SET banned = true, deleted = true, provider = 'p', permission = 'q' WHERE id = '"+a.ID.String()+"'", s.UsersTable())
	for _, c := range []store.Condition{
		is(store.Operand{Name: "banned", Kind: store.BoolColumn}, roster.Eq, true),
		is(store.Operand{Name: "deleted", Kind: store.BoolColumn}, roster.Eq, true),
		is(store.Operand{Name: "provider", Kind: store.TextColumn}, roster.Eq, "p"),
		is(store.Operand{Name: "permission", Kind: store.TextColumn}, roster.StartsWith, "q"),
	} {
		n, err := x.CountUsers(t.Context(), s.query(func(q *store.Search) {
			q.Conditions = []store.Condition{c, is(store.Operand{Name: "deleted"}, roster.Eq, false)}
		}))
		noError(t, err)
		same(t, c.Operand.Name, n, int64(1))
	}
}

// literally compares what filters and words find with what Go finds in the same texts.
func (s *suite) literally(t *testing.T) {
	hostile := rapid.StringOfN(rapid.SampledFrom([]rune(`%_\*?[](){}'"$1;-/ aAbBäÄßİ日😀{}`)), 0, 6, -1)
	texts := map[roster.ID]string{}
	for i := range 60 {
		a := s.user(t, func(a *account) { a.Company = hostile.Example(i) })
		if s.exists(t, a.ID) {
			texts[a.ID] = a.Company
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := hostile.Draw(t, "word")
		if rapid.Bool().Draw(t, "known") {
			known := []rune(texts[rapid.SampledFrom(slices.SortedFunc(keysOf(texts), func(a, b roster.ID) int { return cmp.Compare(a.String(), b.String()) })).Draw(t, "user")])
			from := rapid.IntRange(0, len(known)).Draw(t, "from")
			word = string(known[from:rapid.IntRange(from, len(known)).Draw(t, "to")])
		}
		op := rapid.SampledFrom([]roster.Op{roster.Eq, roster.Ne, roster.In, roster.Contains, roster.StartsWith, "word"}).Draw(t, "op")
		q := s.query(func(q *store.Search) { q.Limit = 1000 })
		if op == "word" {
			if strings.TrimSpace(word) == "" {
				return
			}
			q.Words = []string{strings.ToLower(word)}
		} else {
			q.Conditions = []store.Condition{is(company, op, word)}
		}
		ids, _, _ := s.search(t, q)
		for id, text := range texts {
			want := false
			switch op {
			case roster.Eq, roster.In:
				want = text == word
			case roster.Ne:
				want = text != word
			case roster.Contains:
				want = strings.Contains(asciiLower(text), asciiLower(word))
			case roster.StartsWith:
				want = strings.HasPrefix(asciiLower(text), asciiLower(word))
			default:
				want = strings.Contains(strings.ToLower(text)+"\nu"+id.String()+"@example.com\n", strings.ToLower(word)) ||
					strings.Contains("u"+id.String()+"@example.com\n"+strings.ToLower(text), strings.ToLower(word))
			}
			if got := slices.Contains(ids, id); got != want {
				t.Fatalf("%s %q in %q: got %t, want %t", op, word, text, got, want)
			}
		}
	})
}

func keysOf[V any](m map[roster.ID]V) func(yield func(uuid.UUID) bool) {
	return func(yield func(uuid.UUID) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
