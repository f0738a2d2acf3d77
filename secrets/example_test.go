package secrets_test

import (
	"fmt"

	"github.com/roster-go/roster/secrets"
)

// A program reads its secrets from the environment. To change them, the operator puts a new one in front.
func ExampleParseSecrets() {
	old, err := secrets.Generate("2026")
	if err != nil {
		panic(err)
	}
	fresh, err := secrets.Generate("2027")
	if err != nil {
		panic(err)
	}
	list, err := secrets.ParseSecrets(fresh.Reveal() + "," + old.Reveal())
	if err != nil {
		panic(err)
	}
	ring, err := secrets.New(list)
	if err != nil {
		panic(err)
	}
	sealed := ring.Seal(secrets.Outbox, []byte("a link"), []byte("outbox/17"))
	text, err := ring.Open(secrets.Outbox, sealed, []byte("outbox/17"))
	fmt.Println(list[0], ring.CurrentID(), string(text), err)

	_, err = ring.Open(secrets.Outbox, sealed, []byte("outbox/18"))
	fmt.Println(err)
	// Output:
	// [redacted] 2027 a link <nil>
	// sealed value does not open
}
