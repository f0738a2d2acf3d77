package mixins

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// SESS-51: what a session is used from has a name that people know.
func TestDeviceOf(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0":                                                                     "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":                            "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0":              "Opera on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1":      "Chrome on iPad",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":                            "Chrome on Android",
		"Mozilla/5.0 (Linux; Android 14; SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Browser on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":                             "Chrome on ChromeOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) evil.example/1":                                                                                   "Windows",
		"Mozilla/5.0 (iPhone; evil)\u202e":             "iPhone",
		"AcmeNotes/4.2 (iPhone; iOS 18.1; Scale/3.00)": "AcmeNotes on iPhone",
		"curl/8.10.1":                  "curl",
		"Go-http-client/2.0":           "Go-http-client",
		"Linux":                        "Linux",
		"":                             "",
		" ":                            "",
		"phone/2":                      "phone",
		"pay at evil.example/now":      "",
		"<script>alert(1)</script>":    "",
		"a\u202egnp":                   "",
		strings.Repeat("x", 33) + "/1": "",
	} {
		if got := deviceOf(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

// SESS-51: no user agent breaks the list or fills it with what is not plain text.
func FuzzDeviceOf(f *testing.F) {
	for _, seed := range []string{
		"", "Mozilla/5.0 (Linux; Android 14; SM-S928B Build/UP1A; wv) AppleWebKit/537.36", "Android", "Android;", "(Android)", "[FBAN/FBIOS;FBAV/1]",
		"http://x", "https://", "://:/;;))((][", "MSIE", "iPad iPhone CrOS x86_64 1", "CrOS x86_64", "Instagram", "XiaoMi/MiuiBrowser/1", "\x00\xff/\xfe",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, agent string) {
		got := deviceOf(clip(agent))
		if utf8.RuneCountInString(got) > 2*maxDevice || got != strings.TrimSpace(got) {
			t.Errorf("%q is %q", agent, got)
		}
		for _, r := range got {
			if r < ' ' || r > '~' || strings.ContainsRune(`<>&"'/\:.@`, r) {
				t.Errorf("%q is %q", agent, got)
			}
		}
	})
}
