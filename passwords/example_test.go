package passwords_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/passwords"
)

func Example() {
	ctx := context.Background()
	p, err := passwords.New(passwords.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := p.Hash(ctx, "correct horse battery")
	if err != nil {
		fmt.Println(err)
		return
	}
	match, err := p.Verify(ctx, stored, "correct horse battery")
	fmt.Println(match.OK, match.Stale, err)
	// Output: true false <nil>
}

func ExampleConfig_bcrypt() {
	_, err := passwords.New(passwords.Config{Hasher: passwords.Bcrypt{Cost: 8}})
	fmt.Println(err)
	// Output: bcrypt: cost is 8: it is from 10 to 16
}

func ExampleCheckImport() {
	fmt.Println(passwords.CheckImport("$2b$12$Nqs04sU7/sLB.7s6UpW3HuaTK8ZbRBFSW1EWDgTZS37AkUS/gHP1S"))
	fmt.Println(passwords.CheckImport("!unusable"))
	fmt.Println(passwords.CheckImport("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99"))
	// Output:
	// true <nil>
	// false <nil>
	// false validation_failed: password:invalid_hash
}

// People may choose any 15 code points that are not common, not like their own names, and not about the program.
func ExamplePasswords_CheckPolicy() {
	p, err := passwords.New(passwords.Config{Preset: passwords.NIST, ContextWords: []string{"acme chess company"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	owner := passwords.Owner{Username: "ann.of.green.gables", Email: "ann@example.com"}
	for _, password := range []roster.Secret{
		"battery horse", "Acme Chess Company", "ann.of.green.gables1", "correct horse battery",
	} {
		fmt.Println(p.CheckPolicy("password", password, owner))
	}
	// Output:
	// [password:too_short]
	// [password:common]
	// [password:similar]
	// []
}

// A service of the protocol is told five digits of a hash, and answers with all that it knows under them.
func ExampleHIBP() {
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL.Path)
		_, _ = fmt.Fprint(w, "1E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493\r\n")
	}))
	defer service.Close()
	p, err := passwords.New(passwords.Config{
		Breached: passwords.HIBP{URL: service.URL, Client: service.Client()}, // passwords.HIBP{} asks api.pwnedpasswords.com
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	faults, err := p.CheckBreached(context.Background(), "password", "password")
	fmt.Println(faults, err)
	// Output:
	// /range/5BAA6
	// [password:breached] <nil>
}
