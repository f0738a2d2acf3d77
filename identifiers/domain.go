package identifiers

import (
	"strings"

	"golang.org/x/net/idna"
)

// domains maps as programs do that look a name up (UTS 46): letter case, width, dots of other scripts. "ß" stays
// itself, and what DNS does not carry is refused.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule())

// asciiDomain returns a domain as DNS spells it, and whether it is one.
func asciiDomain(domain string, local bool) (string, bool) {
	host, ok := strings.ToLower(domain), true
	if !isPlain(domain) {
		host, ok = encodeDomain(domain)
	}
	labels := strings.Count(host, ".") + 1
	return host, ok && (labels > 1 || local) && isHost(host)
}

// isPlain reports whether a domain has nothing for IDNA to do but letter case: labels that begin with "xn--" and
// other hyphens in their third and fourth place are IDNA's, bytes that no host name has are isHost's to refuse.
func isPlain(domain string) bool { return isASCII(domain) && !strings.Contains(domain, "--") }

// encodeDomain applies IDNA twice: few results are refused themselves, and such a domain could not be typed again.
func encodeDomain(domain string) (string, bool) {
	host, err := domains.ToASCII(domain)
	if err != nil {
		return domain, false
	}
	again, err := domains.ToASCII(host)
	return host, err == nil && again == host
}

// isHost reports whether every label is one of letters, digits and inner hyphens, and the last is not a number:
// that would be an IPv4 address, or be taken for one.
func isHost(host string) bool {
	last := host
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}
