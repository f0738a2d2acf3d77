package tokens_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/tokens"
)

// SEC-49: every claim is required and has one type.
func TestSEC_49_Claims(t *testing.T) {
	k := key(t, tokens.HS256)
	i := issuer(t, k)
	numbers := []string{`"1795341600"`, `-1`, `1.5`, `1795341600.0`, `1e9`, `1E400`, `null`, `true`, `[]`, `{}`, `253402300800`, `99999999999999999999999`, `"NaN"`, `[1795341600]`}
	texts := []string{`null`, `1`, `true`, `[]`, `{}`, `""`}
	ids := append([]string{`"x"`, `"00000000-0000-0000-0000-000000000000"`, `"{0198a1b2-0000-7000-8000-000000000001}"`, `"0198a1b2000070008000000000000001"`}, texts...)
	lists := []string{`null`, `1`, `"pwd"`, `{}`, `[1]`, `[null]`, `[["pwd"]]`, `[{}]`, `true`}
	table := map[string][]string{
		"iss": append(texts, `"https://id.example.com/"`, `["https://id.example.com"]`, `"other"`),
		"aud": append(texts, `"other"`, `"EXAMPLE"`, `["example"]`, `["example","other"]`),
		"sub": ids, "sid": ids, "jti": ids,
		"exp": numbers, "nbf": numbers, "iat": numbers, "auth_time": numbers,
		"epoch":       {`null`, `3`, `"3"`, `[]`, `[3]`, `[3,1,1]`, `["3","1"]`, `[-1,1]`, `[3.0,1]`, `[3,null]`, `[[3,1]]`, `{"0":3}`, `[9223372036854775808,1]`, `[1e1,1]`},
		"amr":         lists,
		"permissions": lists,
		"superuser":   {`1`, `"true"`, `null`, `[]`, `{}`, `0`},
		"act":         {`{"sub":"x"}`}, "scope": {`"all"`}, "gen": {`1`}, "csrf": {`""`}, "EXP": {`1`}, "huge": {`1e999`},
	}
	for member, values := range table {
		if member != "superuser" && strings.Contains(payload(t, "", ""), `"`+member+`"`) {
			t.Run("refuses a missing "+member, func(t *testing.T) { wantInvalid(t, i, forge(t, k, header(k), payload(t, member, ""))) })
		}
		for _, value := range values {
			t.Run("refuses "+member+" as "+value, func(t *testing.T) { wantInvalid(t, i, forge(t, k, header(k), payload(t, member, value))) })
		}
	}
	for member, value := range map[string]string{"superuser": "false", "plan": `"pro"`, "epoch": `[0,9223372036854775807]`, "amr": `[ ]`} {
		if _, err := i.Verify(forge(t, k, header(k), payload(t, member, value)), now); err != nil {
			t.Errorf("%s as %s: %v", member, value, err)
		}
	}
}

// SEC-52: no doubled members, no deep nesting, no loose text, no odd base64.
func TestSEC_52_Form(t *testing.T) {
	k := key(t, tokens.HS256)
	i := issuer(t, k)
	good := payload(t, "", "")
	for name, body := range map[string]string{
		"nothing":                  "",
		"an empty object":          "{}",
		"null":                     "null",
		"an array":                 "[" + good + "]",
		"a string":                 `"x"`,
		"a number":                 `7`,
		"loose text behind":        good + "x",
		"two objects":              good + good,
		"an open object":           good[:len(good)-1],
		"a trailing comma":         good[:len(good)-1] + ",}",
		"a doubled claim":          good[:len(good)-1] + `,"exp":9999999999}`,
		"a doubled claim, escaped": good[:len(good)-1] + `,"\u0065xp":9999999999}`,
		"a doubled member within":  good[:len(good)-1] + `,"x":{"a":1,"a":2}}`,
		"one within an array":      good[:len(good)-1] + `,"x":[{"a":1,"b":2,"\u0061":2}]}`,
		"deep arrays":              good[:len(good)-1] + `,"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`,
		"very deep arrays":         good[:len(good)-1] + `,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`,
		"deep objects":             good[:len(good)-1] + `,"x":` + strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 8) + `}`,
		"broken UTF-8":             good[:len(good)-1] + `,"x":"` + "\xff" + `"}`,
		"a byte order mark":        "\ufeff" + good,
		"comments":                 "/**/" + good,
		"not a number":             good[:len(good)-1] + `,"x":NaN}`,
	} {
		t.Run("refuses claims with "+name, func(t *testing.T) { wantInvalid(t, i, forge(t, k, header(k), body)) })
	}
	for name, h := range map[string]string{
		"nothing": "", "an empty object": "{}", "null": "null", "an array": "[" + header(k) + "]", "a string": `"x"`,
		"deep nesting": strings.Repeat("[", 4000), "deep objects": strings.Repeat(`{"alg":`, 500) + "1" + strings.Repeat("}", 500), "broken UTF-8": "{\"alg\":\"\xff\"}",
		"more than 512 characters": header(k) + strings.Repeat(" ", 384),
	} {
		t.Run("refuses a header of "+name, func(t *testing.T) { wantInvalid(t, i, forge(t, k, h, good)) })
	}

	token := sign(t, i, claims())
	parts := strings.Split(token, ".")
	for name, bad := range map[string]string{
		"nothing": "", "a dot": ".", "two dots": "..", "three dots": "...", "garbage": "garbage", "NUL": "\x00",
		"one part": parts[0], "two parts": parts[0] + "." + parts[1], "four parts": token + ".", "five parts": token + ".." + token,
		"a space before": " " + token, "a space behind": token + " ", "a line break behind": token + "\n", "padding": token + "=",
		"the other alphabet": parts[0] + "." + parts[1] + "." + strings.Repeat("+", len(parts[2])),
		"no header":          "." + parts[1] + "." + parts[2], "no claims": parts[0] + ".." + parts[2], "no signature": parts[0] + "." + parts[1] + ".",
		"a line break within the header":    parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2],
		"a line break within the signature": parts[0] + "." + parts[1] + "." + parts[2][:4] + "\r\n" + parts[2][4:],
		"loose bits":                        token[:len(token)-1] + "B",
		"header and claims swapped":         parts[1] + "." + parts[0] + "." + parts[2],
		"8193 bytes":                        token + strings.Repeat("A", tokens.MaxToken+1-len(token)),
		"JSON":                              `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	} {
		t.Run("refuses a token of "+name, func(t *testing.T) { wantInvalid(t, i, bad) })
	}
	t.Run("takes a token of 8192 bytes and makes none longer", func(t *testing.T) {
		c, longest := claims(), 0
		for n := 5300; n < 6200; n++ {
			c.Extra = map[string]any{"x": strings.Repeat("x", n)}
			token, err := i.Sign(c)
			if err != nil {
				break
			}
			longest = len(token)
			if _, err := i.Verify(token.Reveal(), now); err != nil {
				t.Fatalf("%d bytes: %v", longest, err)
			}
		}
		if longest < tokens.MaxToken-2 || longest > tokens.MaxToken {
			t.Errorf("the longest has %d bytes", longest)
		}
	})
	t.Run("refuses a longer one that is signed rightly", func(t *testing.T) {
		wantInvalid(t, i, forge(t, k, header(k), good+strings.Repeat(" ", tokens.MaxToken*3/4)))
	})
	t.Run("answers 10 MiB of dots in less than 5 ms with flat memory", func(t *testing.T) {
		dots := strings.Repeat(".", 10<<20)
		if n := testing.AllocsPerRun(10, func() { _, _ = i.Verify(dots, now) }); n > 10 {
			t.Errorf("%v allocations", n)
		}
		inTime := false
		for range 5 { // the machine may be busy with something else at one time
			timer := time.NewTimer(5 * time.Millisecond)
			_, err := i.Verify(dots, now)
			inTime = inTime || timer.Stop()
			if !errors.Is(err, roster.ErrInvalidToken) {
				t.Errorf("got %v", err)
			}
		}
		if !inTime {
			t.Error("took longer")
		}
		wantInvalid(t, i, strings.Repeat(".", tokens.MaxToken))
	})
}
