package mixins_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/rostertest"
	"github.com/roster-go/roster/usersrepo"
)

type benchAccount struct {
	roster.User
	DisplayName string  `db:"display_name" json:"display_name" roster:"create,update,search,filter,sort"`
	Company     *string `db:"company" json:"company" roster:"create,update,search,filter"`
	Plan        string  `db:"plan" json:"plan" roster:"admin,filter,keep"`
}

// openBench returns a repo on SQLite in memory with so many users, and one of them.
func openBench(b *testing.B, users int) (*usersrepo.UsersRepo[*benchAccount], *benchAccount) {
	b.Helper()
	cfg, _ := rostertest.Config(b, rostertest.Open(b, rostertest.SQLite))
	repo, err := usersrepo.New[*benchAccount](cfg)
	if err != nil {
		b.Fatal(err)
	}
	var one *benchAccount
	for i := range users {
		one = &benchAccount{DisplayName: "Ann Bench", Company: new("Bench Ltd")}
		one.Username, one.Email = new(fmt.Sprintf("bench%d", i)), new(fmt.Sprintf("bench%d@example.org", i))
		if one, err = repo.Create(b.Context(), one); err != nil {
			b.Fatal(err)
		}
	}
	return repo, one
}

// What reading a document by the rules of the struct takes.
func BenchmarkDecode(b *testing.B) {
	repo, _ := openBench(b, 0)
	for _, x := range []struct{ name, document string }{
		{"good", `{"username":"ann","email":"ann@example.org","language":"en","display_name":"Ann Bench","company":"Bench Ltd"}`},
		{"faulty", `{"username":7,"email":null,"id":"x","plan":"pro","unknown":[1,2,3]}`},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := repo.Decode(b.Context(), json.RawMessage(x.document), roster.WriterSignup); (err != nil) != (x.name == "faulty") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPatch(b *testing.B) {
	repo, _ := openBench(b, 0)
	user, document := &benchAccount{}, json.RawMessage(`{"display_name":"Ann","company":null,"time_zone":"Europe/Paris"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := repo.Patch(b.Context(), user, document, roster.WriterSelf); err != nil {
			b.Fatal(err)
		}
	}
}

// What the reads take with all that is around the statement, on SQLite.
func BenchmarkReads(b *testing.B) {
	repo, one := openBench(b, 200)
	pair, err := repo.IssueTokens(b.Context(), one.ID, roster.IssueOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for _, x := range []struct {
		name string
		read func() error
	}{
		{"Get", func() error {
			_, err := repo.Get(b.Context(), one.ID)
			return err
		}},
		{"GetByLogin", func() error {
			_, err := repo.GetByLogin(b.Context(), *one.Email)
			return err
		}},
		{"VerifyToken", func() error {
			_, err := repo.VerifyToken(b.Context(), pair.AccessToken)
			return err
		}},
		{"Search", func() error {
			_, err := repo.Search(b.Context(), roster.Query{Limit: 50})
			return err
		}},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := x.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
