package mixins

import (
	"encoding/json"
	"io"
	"time"

	"github.com/roster-go/roster"
)

// What the document consists of.
type (
	exportedContact struct {
		Kind        string     `json:"kind"`
		Value       string     `json:"value"` // "" where one was taken away
		VerifiedAt  *time.Time `json:"verified_at,omitempty"`
		Former      *string    `json:"former,omitempty"`
		RequestedAt *time.Time `json:"requested_at,omitempty"` // of a change
		ChangedAt   *time.Time `json:"changed_at,omitempty"`
		EndedAt     *time.Time `json:"ended_at,omitempty"`
	}
	exportedIdentity struct {
		Provider string    `json:"provider"`
		Subject  string    `json:"subject"`
		LinkedAt time.Time `json:"linked_at"`
	}
	exportedSession struct {
		ID         roster.ID `json:"id"`
		CreatedAt  time.Time `json:"created_at"`
		LastUsedAt time.Time `json:"last_used_at"`
		ExpiresAt  time.Time `json:"expires_at"`
		AuthTime   time.Time `json:"auth_time"`
		AMR        []string  `json:"amr"`
		IP         string    `json:"ip"`
		UserAgent  string    `json:"user_agent"`
		Device     string    `json:"device"`
		Profiles   []string  `json:"profiles"`
	}
	exportedMessage struct {
		Kind      string     `json:"kind"`
		Channel   string     `json:"channel"`
		State     string     `json:"state"`
		CreatedAt time.Time  `json:"created_at"`
		SentAt    *time.Time `json:"sent_at"`
	}
)

// document writes a JSON object member by member. After an error it writes nothing more.
type document struct {
	w     io.Writer
	comma bool
	err   error
}

func (d *document) open(text string) {
	if d.err == nil {
		_, d.err = io.WriteString(d.w, text)
	}
	d.comma = false
}

func (d *document) value(name string, value any) {
	content, err := json.Marshal(value)
	if d.err == nil {
		d.err = err
	}
	if d.comma {
		name = "," + name
	}
	d.open(name + string(content))
	d.comma = true
}

func (d *document) member(name string, value any) { d.value(`"`+name+`":`, value) }

// list writes a member that is a list of what items calls its argument with.
func (d *document) list(name string, items func(item func(any)) error) {
	if d.err != nil {
		return
	}
	d.open(`,"` + name + `":[`)
	err := items(func(item any) { d.value("", item) })
	if d.err == nil {
		d.err = err
	}
	d.open("]")
	d.comma = true
}
