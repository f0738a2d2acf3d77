package mixins

import (
	"strings"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/notify"
	"github.com/roster-go/roster/secrets"
)

// decoys are contacts of a login that nobody has: made up, the same each time, and of the kinds that users have. Their
// handles lead nowhere.
func (c *Core[U]) decoys(login string) []roster.MaskedContact {
	d := dice(c.Secrets.MAC(secrets.Decoy, []byte(c.Store.UsersTable()), []byte(c.Identifiers.CounterKey(login))))
	kind := identifiers.Infer(login)
	canonical, ok := c.Identifiers.Canonical(kind, login)
	address, number := d.address(), d.number()
	switch {
	case ok && kind == identifiers.KindEmail:
		address = canonical
	case ok && kind == identifiers.KindPhone:
		number = canonical
	}
	hasEmail, hasPhone := d.below(10) < 9, d.below(10) < 5
	hasEmail = hasEmail || !hasPhone || kind == identifiers.KindEmail
	hasPhone = hasPhone || kind == identifiers.KindPhone
	var list []roster.MaskedContact
	for _, x := range []struct {
		contact
		there bool
		value string
	}{{email, hasEmail, address}, {phone, hasPhone, number}} {
		if c.sender(x.channel) != nil && (x.there || c.onlyChannel(x.channel)) {
			list = append(list, roster.MaskedContact{
				Channel: roster.Channel(x.kind), Masked: x.mask(x.value), Handle: c.sealHandle(login, x.contact, roster.NewID(), x.value),
			})
		}
	}
	return list
}

// onlyChannel reports whether nothing can be sent but by a channel.
func (c *Core[U]) onlyChannel(channel notify.Channel) bool {
	for _, other := range []notify.Channel{notify.Email, notify.SMS} {
		if other != channel && c.sender(other) != nil {
			return false
		}
	}
	return true
}

// dice are random bytes that a login determines; each throw takes some away.
type dice []byte

func (d *dice) below(n int) int {
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) * n >> 8
}

func (d *dice) pick(list string) string {
	words := strings.Fields(list)
	return words[d.below(len(words))]
}

// What addresses begin with, and where people have them, the commonest more than once.
const (
	beginnings = `al an an be br ca ch da da de el er fr ge ha he in ja ja je jo jo ka ke la le li lu ma ma ma mi mi mo na ni no ol pa pe
		ra re ro sa sa se sh si so st su ta th ti to va vi wa wi yu za`
	hosts = `gmail.com gmail.com gmail.com gmail.com gmail.com gmail.com outlook.com outlook.com hotmail.com hotmail.com yahoo.com
		yahoo.com icloud.com icloud.com proton.me gmx.de web.de live.com yahoo.co.uk mail.ru`
)

// address makes up an e-mail address, of which the mask shows little.
func (d *dice) address() string {
	local := d.pick(beginnings) + strings.Repeat("x", 1+d.below(9)+d.below(6))
	return local + "@" + d.pick(hosts)
}

// number makes up a phone number, of which the mask shows its length and the last two digits.
func (d *dice) number() string {
	lasts := decimal[d.below(10):][:1] + decimal[d.below(10):][:1]
	return d.pick("+120255501 +120255501 +4479460000 +49151234560") + lasts
}
