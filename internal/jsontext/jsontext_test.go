package jsontext_test

import (
	"testing"

	"github.com/roster-go/roster/internal/jsontext"
)

// HTTP-19: strings with U+0000 or half of a surrogate pair are no texts.
func TestClean(t *testing.T) {
	for text, want := range map[string]bool{
		`"plain"`: true, `"é"`: true, `"\u00e9"`: true, `"\ud83d\ude00"`: true, `"\\u0000"`: true, `{"a":["\uD83D\uDE00 x"]}`: true,
		`"\u0000"`: false, `"a\u0000b"`: false, `"\ud83d"`: false, `"\ud83dx"`: false, `"\ude00"`: false, `"\ude00\ud83d"`: false,
		`"\ud83d\ud83d\ude00"`: false, `{"a":"\\\u0000"}`: false, `"\u12`: true, `"\`: true, "\"\xff\"": false,
	} {
		if got := jsontext.Clean([]byte(text)); got != want {
			t.Errorf("Clean(%s) = %t, want %t", text, got, want)
		}
	}
}
