package notify

import (
	"strings"
	"unicode/utf16"
)

// maxSegments is the longest SMS that is sent: each segment is paid for.
const maxSegments = 3

// The letters of the default alphabet of GSM (3GPP TS 23.038, section 6.2.1), and those that take the place of two.
const (
	gsmLetters = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿" +
		"abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// Segments returns how many SMS a text is sent as: one holds 160 letters of the GSM alphabet, and of several parts each
// 153; where the text has any other letter it holds 70, and each part 67, in units of UTF-16.
func Segments(text string) int {
	const (
		one, part         = 160, 153
		oneWide, partWide = 70, 67
	)
	units, ok := gsmUnits(text)
	if ok {
		return segments(units, one, part)
	}
	return segments(wideUnits(text), oneWide, partWide)
}

// segments packs letters that take one or two units into parts: none is cut in two.
func segments(letters []int, one, part int) int {
	total := 0
	for _, n := range letters {
		total += n
	}
	if total <= one {
		return 1
	}
	count, used := 1, 0
	for _, n := range letters {
		if used+n > part {
			count, used = count+1, 0
		}
		used += n
	}
	return count
}

func gsmUnits(text string) (units []int, ok bool) {
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsmLetters, r):
			units = append(units, 1)
		case strings.ContainsRune(gsmExtended, r):
			units = append(units, 2)
		default:
			return nil, false
		}
	}
	return units, true
}

func wideUnits(text string) []int {
	var units []int
	for _, r := range text {
		units = append(units, max(utf16.RuneLen(r), 1))
	}
	return units
}
