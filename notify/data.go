package notify

import (
	"time"

	"github.com/roster-go/roster"
)

// Data is what templates see, each field by its name: {{.Product}}. What is absent is the zero value.
type Data struct {
	Product    string // what the program is called
	SupportURL string // where people tell that something is wrong
	User       any    // the program's own user: {{.User.Company}}
	Name       string // what the user is called
	To         string
	Link, Code roster.Secret // in templates, in clear
	ExpiresAt  time.Time     // the end of the link or code: {{datetime .ExpiresAt}}
	ExpiresIn  time.Duration // its life: {{duration .ExpiresIn}}
	When       time.Time     // when that happened which a notice is about, and from which address and device
	IP, Device string
	Old, New   string    // what was changed; contacts masked
	Provider   string    // of a social account
	Purpose    string    // what a code is for, or what was done; see ToLogin and its like
	Reason     string    // that was given for a ban
	Until      time.Time // the end of a ban; the zero time is none
	Domain     string    // the host of the program, which codes by SMS are bound to
	Vars       map[string]any
}

// view is Data as templates see it. Its own fields hide those of Data.
type view struct {
	Data
	Link, Code string
	Language   string // of the file
}

// The most characters of texts that others than the program and its user can choose.
const (
	maxName   = 64
	maxDevice = 128
	maxReason = 256
)

func (d Data) view(kind string) view {
	v := view{Data: d, Link: d.Link.Reveal(), Code: d.Code.Reveal()}
	v.Name = oneLine(d.Name)
	if toStrangers(kind) {
		v.Name = unlink(v.Name)
	}
	v.Name = shorten(v.Name, maxName)
	v.Device = shorten(oneLine(d.Device), maxDevice)
	v.Reason = shorten(oneLine(d.Reason), maxReason)
	for _, text := range []*string{&v.Product, &v.To, &v.IP, &v.Old, &v.New, &v.Provider, &v.Purpose, &v.Domain} {
		*text = oneLine(*text)
	}
	if kind == AccountExists {
		v.Name, v.Device = "", "" // anybody can cause it: no word in it is theirs
	}
	return v
}

// samples are what templates are tried with: once with all there can be, once without what can be absent.
func (d Data) samples() []Data {
	when := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	bare := Data{
		User: d.User, Vars: d.Vars, Product: "Example", To: "ada@example.com", When: when,
		Link: "https://example.com/confirm#token=ec_sample", Code: "123456", Domain: "example.com",
		ExpiresIn: 24 * time.Hour, ExpiresAt: when.Add(24 * time.Hour),
	}
	full := bare
	full.Name, full.IP, full.Device, full.Provider = "Ada", "192.0.2.1", "Firefox", "Example"
	full.Old, full.New, full.SupportURL = "old", "new", "https://example.com/support"
	full.Purpose, full.Reason, full.Until = ToLogin, "spam", when
	return []Data{full, bare}
}
