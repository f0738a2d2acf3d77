package mixins

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/callbacks"
	"github.com/roster-go/roster/identifiers"
	"github.com/roster-go/roster/secrets"
)

// handleTTL is how long a handle names its contact.
const handleTTL = 15 * time.Minute

// place is a contact that somebody names who is not logged in. Whether it is anybody's is another question.
type place struct {
	// key is what tries are counted by: made of what was typed and the channel, never of what it was found to be.
	key     string
	channel roster.Channel // "" : either
	login   string         // as typed; "" by a handle
	owner   roster.ID      // by a handle
	bound   []byte         // the contact that a handle was made for, as a MAC
}

// contact is the one that the place is; an address where it is either.
func (p place) contact() contact { return contactFor(string(p.channel)) }

// typedPlace is the place that a login names. Without a channel it is the one that the login itself is.
func (c *Core[U]) typedPlace(login string, channel roster.Channel) place {
	p := place{channel: channel, login: login}
	counted := channel
	switch kind := identifiers.Infer(login); {
	case channel != "":
	case kind == identifiers.KindPhone:
		p.channel, counted = roster.ChannelPhone, roster.ChannelPhone
	case kind == identifiers.KindEmail:
		p.channel, counted = roster.ChannelEmail, roster.ChannelEmail
	default:
		counted = roster.ChannelEmail
	}
	p.key = c.placeKey(login, counted)
	return p
}

const placeKeySize = 22 // characters

func (c *Core[U]) placeKey(login string, channel roster.Channel) string {
	key := c.counterKey("place", c.Identifiers.CounterKey(login), string(channel))
	return key[len(key)-placeKeySize:]
}

// placeOf returns the place that a reference names. A handle that is none, or late, is a place where nobody is.
func (c *Core[U]) placeOf(ref roster.ContactRef) (place, error) {
	var faults roster.FieldErrors
	switch {
	case ref.Handle != nil && ref.Login != nil:
		faults.Add("handle", roster.Invalid)
	case ref.Handle == nil && ref.Login == nil:
		faults.Add("login", roster.Required)
	}
	if ref.Channel != "" && ref.Channel != roster.ChannelEmail && ref.Channel != roster.ChannelPhone {
		faults.Add("channel", roster.Invalid)
	}
	if err := faults.Err(); err != nil {
		return place{}, err
	}
	if ref.Handle != nil {
		return c.openHandle(*ref.Handle), nil
	}
	return c.typedPlace(*ref.Login, ref.Channel), nil
}

// binding is the contact that a handle is made for. A handle is worth nothing once the owner has another one.
func (c *Core[U]) binding(k contact, canonical string) []byte {
	return c.Secrets.MAC(secrets.CodeHandle, []byte(k.kind), []byte(canonical))
}

// sealHandle names a contact that was found by a login. All handles are equally long.
func (c *Core[U]) sealHandle(login string, k contact, owner roster.ID, canonical string) roster.Secret {
	channel := roster.Channel(k.kind)
	text := binary.BigEndian.AppendUint64(nil, uint64(c.now().Add(handleTTL).Unix())) //nolint:gosec // after 1970
	text = append(text, owner[:]...)
	text = append(text, c.binding(k, canonical)...)
	text = append(text, c.placeKey(login, channel)...)
	text = append(text, k.kind[0])
	return roster.Secret(base64.RawURLEncoding.EncodeToString(c.Secrets.Seal(secrets.CodeHandle, text, c.handlePlace())))
}

// handlePlace keeps handles from opening at another repo.
func (c *Core[U]) handlePlace() []byte { return []byte(c.Store.UsersTable()) }

// A handle is its end, the owner, the binding, the key of the place and the first letter of the channel.
const (
	ownerAt    = 8
	boundAt    = ownerAt + 16
	keyAt      = boundAt + 32
	channelAt  = keyAt + placeKeySize
	handleSize = channelAt + 1
	maxHandle  = 512 // characters
)

func (c *Core[U]) openHandle(handle roster.Secret) place {
	nowhere := place{key: c.placeKey("", ""), channel: roster.ChannelEmail, owner: roster.NewID()}
	if len(handle) > maxHandle {
		return nowhere
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(handle.Reveal())
	if err != nil {
		return nowhere
	}
	text, err := c.Secrets.Open(secrets.CodeHandle, sealed, c.handlePlace())
	if err != nil || len(text) != handleSize {
		return nowhere
	}
	p := place{
		key: string(text[keyAt:channelAt]), channel: roster.ChannelEmail, owner: roster.ID(text[ownerAt:boundAt]), bound: text[boundAt:keyAt],
	}
	if text[channelAt] == callbacks.Phone[0] {
		p.channel = roster.ChannelPhone
	}
	if until := binary.BigEndian.Uint64(text); uint64(c.now().Unix()) >= until { //nolint:gosec // after 1970
		p.owner = roster.NewID()
	}
	return p
}

// at returns the user whom a place is of: roster.ErrNotFound when it is nobody's, or not theirs any more.
func (c *Core[U]) at(ctx context.Context, p place) (U, error) {
	if p.login != "" || p.owner == (roster.ID{}) {
		return c.lookUp(ctx, "", p.login)
	}
	u, err := c.load(ctx, p.owner)
	if err != nil {
		return u, err
	}
	k := p.contact()
	canonical := text(k.canonical(c.canonical(u)))
	if canonical == "" || !c.Secrets.VerifyMAC(secrets.CodeHandle, p.bound, []byte(k.kind), []byte(canonical)) {
		var none U
		return none, roster.ErrNotFound
	}
	return u, nil
}

// ownerOf is the id of the user whom a place is of; nil: nobody.
func (c *Core[U]) ownerOf(ctx context.Context, p place) (*roster.ID, error) {
	u, err := c.at(ctx, p)
	switch {
	case errors.Is(err, roster.ErrNotFound):
		return nil, nil //nolint:nilnil // nobody is no error
	case err != nil:
		return nil, err
	}
	return new(u.Base().ID), nil
}
