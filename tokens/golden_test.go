package tokens_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/roster-go/roster"
)

// What an earlier release made with the keys of codec.
const (
	goldenRefresh   = "rt1.k1.AZihsgAAcACAAAAAAAAAAgAAAAAAAAABN9_dSTIsFhUGsNWoD3BVf_7CUenl7vH4u0DX-h5F5Ub1Cg5A6o1QC6_JTxOMzhsVz3rt3-5MMdZD-m5Ak_zlEw"
	goldenHash      = "91c22ec713ed081c5263461657b9195b0081fa1cb27bdc915668a47031ca7c2b"
	goldenSuccessor = "942ed7a1add3a7d827f3e79803b3bf38ef193169a3ff84ca91aec180e6dc7721031a6050"
)

func TestReadsWhatEarlierReleasesMade(t *testing.T) {
	r, err := codec(t).Parse(goldenRefresh)
	if err != nil {
		t.Fatal(err)
	}
	if r.SessionID != claims().SessionID || r.Generation != 1 || hex.EncodeToString(r.Hash) != goldenHash {
		t.Errorf("got %v, %d, %x", r.SessionID, r.Generation, r.Hash)
	}
	sealed, err := hex.DecodeString(goldenSuccessor)
	if err != nil {
		t.Fatal(err)
	}
	// It was sealed without the name of a node.
	if next, by, err := r.OpenSuccessor(sealed); err != nil || next.Reveal() != "rt1.next" || by != "" {
		t.Errorf("got %q, %v", by, err)
	}
}

// FuzzRefreshParse: SESS-25. No panic, and nothing passes that was not made here.
func FuzzRefreshParse(f *testing.F) {
	c := codec(f)
	f.Add(goldenRefresh)
	f.Add("")
	f.Add("rt1..")
	f.Add("rt1.k1." + strings.Repeat("A", 118))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := c.Parse(text)
		switch {
		case err == nil && (text != goldenRefresh || got.Generation != 1):
			t.Errorf("accepted %q", text)
		case err != nil && !errors.Is(err, roster.ErrInvalidRefresh):
			t.Errorf("got %v", err)
		}
	})
}
