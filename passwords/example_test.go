package passwords_test

import (
	"context"
	"fmt"

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
