package identifiers_test

import (
	"context"
	"fmt"

	"github.com/roster-go/roster/identifiers"
)

func Example() {
	p, err := identifiers.New(identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	name, _ := p.Username(" Straße")
	fmt.Println(name.Stored, name.Canonical)
	address, _ := p.Email(context.Background(), "Bob@Bücher.example")
	fmt.Println(address.Stored, address.Canonical)
	number, _ := p.Phone("(202) 555-0123")
	fmt.Println(number.Stored, identifiers.Mask(identifiers.KindPhone, number.Stored))
	_, faults := p.Username("pаypal") // with a Cyrillic а
	fmt.Println(faults)
	// Output:
	// Straße strasse
	// Bob@xn--bcher-kva.example bob@xn--bcher-kva.example
	// +12025550123 +*********23
	// [mixed_scripts]
}
