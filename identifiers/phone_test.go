package identifiers_test

import (
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/identifiers"
)

func phones(t *testing.T, region string, countries ...string) *identifiers.Parser {
	t.Helper()
	return newParser(t, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: region, Countries: countries}})
}

// The vectors of IDENT-15 and IDENT-16 that are valid.
func TestPhoneValid(t *testing.T) {
	for _, tt := range []struct {
		name, region string
		inputs       []string
		want         string
	}{
		{"IDENT-15 reads E.164", "", []string{"+12025550123"}, "+12025550123"},
		{"IDENT-15 reads national forms", "US", []string{"202-555-0123", "(202) 555-0123", "12025550123", "202.555.0123", "202/555-0123", "٢٠٢5550123"}, "+12025550123"},
		{"IDENT-16 reads punctuation", "", []string{"+1 (202) 555-0123", "+1-202-555-0123", "+1.202.555.0123", "+1 202/555-0123", "+1(202)5550123.", " +1 202 555 0123\n"}, "+12025550123"},
		{"IDENT-15 reads E.164 and drops a national prefix in it", "", []string{"+442083661177", "+4402083661177", "+44 (0)20 8366 1177"}, "+442083661177"},
		{"IDENT-15 reads out-of-country forms of the region US", "US", []string{"011442083661177", "+442083661177", "(+44) 20 8366 1177"}, "+442083661177"},
		{"IDENT-15 reads out-of-country forms of the region GB", "GB", []string{"00442083661177", "020 8366 1177", "442083661177"}, "+442083661177"},
		{"IDENT-16 reads digits of any script", "", []string{"+４４２０８３６６１１７７", "+٤٤٢٠٨٣٦٦١١٧٧", "+४४२०८३६६११७७", "+𝟒𝟒𝟐𝟎𝟖𝟑𝟔𝟔𝟏𝟏𝟕𝟕"}, "+442083661177"},
		{"IDENT-15 reads the region ET, in any case", "et", []string{"0911123456", "911123456", "+251911123456", "٠٩١١١٢٣٤٥٦"}, "+251911123456"},
		{"IDENT-16 reads vanity numbers", "", []string{"+18007493524", "+1800-six-flag", "+1 (800) SIX FLAG"}, "+18007493524"},
		{"IDENT-16 reads national vanity numbers", "US", []string{"800sixflag", "(800)six-flag", "1-800-SIX-FLAG"}, "+18007493524"},
		{"IDENT-15 reads numbers of no country", "", []string{"+800 1234 5678"}, "+80012345678"},
		{"IDENT-15 keeps the zero of Italian numbers", "IT", []string{"02 3661 8300", "+39 02 3661 8300"}, "+390236618300"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := phones(t, tt.region)
			for _, input := range append(tt.inputs, tt.want) {
				got, codes := p.Phone(input)
				same(t, input, got, codes, identifiers.Identifier{Stored: tt.want, Canonical: tt.want})
			}
		})
	}
}

// The vectors of IDENT-15 and IDENT-16 that are not.
func TestPhoneFaults(t *testing.T) {
	for _, tt := range []struct {
		name, region string
		inputs       []string
	}{
		{"IDENT-15 wants the + without a region", "", []string{"12025550123", "2025550123", "00442083661177", "(+44) 20 8366 1177", "0911123456"}},
		{"IDENT-15 refuses what no plan has", "", []string{"+1 555 1234", "+00", "+999123456789", "+120255501234567", "+", "+1", "++12025550123", "+1+2025550123", "+" + strings.Repeat("1", 300), strings.Repeat("+", 300)}},
		{"IDENT-15 does not read an international number as a national one", "ET", []string{"+0911123456", "+00442083661177", "(+0911123456"}},
		{"IDENT-15 refuses what the region has not", "US", []string{"555 1234", "911", "0911123456", "+999123456789", "00442083661177"}},
		{"IDENT-16 refuses extensions", "US", []string{
			"+1 202 555 0123 x123", "+12025550123;ext=5", "+12025550123 ext 5", "+12025550123 ext. 5", "202-555-0123 extn 12", "202 555 0123 int 3", "202 555 0123/x9", "202 555 0123/xabc",
			"2025550123,,5", "2025550123#5", "2025550123 anexo 5", "+12025550123e×t5", "2025550123~5", "(202) 555-0123 x302/x2303",
		}},
		{"IDENT-16 refuses letters that spell no word", "US", []string{"+12025550123a", "+1202555012a", "a2025550123", "sixflag", "(six)flag800", "(six)2025550123", "+sixflag1800", "tel2025550123"}},
		{"IDENT-16 refuses other characters", "US", []string{
			"tel:+12025550123", "tel:2025550123", "+1202\u200b5550123", "\u202a+12025550123", "+1202\u00a05550123", "+1202\t5550123", "＋12025550123", "+1（202）5550123", "+1 202–555–0123", "*2025550123", "2025550123*",
			"①2025550123", "+1²025550123", "+1 202 555 0123 or so!", "2025550123;phone-context=+1", "a@b.cd", "2025550123@b.cd",
		}},
		{"IDENT-3 wants a +, a digit or ( first", "US", []string{"-2025550123", ".2025550123", "/2025550123", ")2025550123", "alice"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := phones(t, tt.region)
			for _, input := range tt.inputs {
				got, codes := p.Phone(input)
				same(t, input, got, codes, identifiers.Identifier{}, roster.Invalid)
			}
		})
	}
}

// IDENT-17.
func TestPhoneCountries(t *testing.T) {
	p := phones(t, "", "us", "GB")
	for input, valid := range map[string]bool{
		"+12025550123":  true,
		"+18007493524":  true, // toll-free numbers are of every country of the plan
		"+442083661177": true,
		"+14165550123":  false, // Canada
		"+18765550123":  false, // Jamaica
		"+447781123456": false, // Guernsey
		"+251911123456": false,
		"+80012345678":  false,
	} {
		t.Run("judges "+input, func(t *testing.T) {
			got, codes := p.Phone(input)
			if valid {
				same(t, input, got, codes, identifiers.Identifier{Stored: input, Canonical: input})
			} else {
				same(t, input, got, codes, identifiers.Identifier{}, roster.Invalid)
			}
		})
	}
}

// IDENT-15: every way in which the library prints a number is read, and gives that number.
func TestPhonePrinted(t *testing.T) {
	anywhere := phones(t, "")
	for region := range phonenumbers.GetSupportedRegions() {
		t.Run("reads what is printed in "+region, func(t *testing.T) {
			number := phonenumbers.GetExampleNumber(region)
			want := phonenumbers.Format(number, phonenumbers.E164)
			for p, input := range map[*identifiers.Parser]string{
				anywhere:          phonenumbers.Format(number, phonenumbers.INTERNATIONAL),
				phones(t, region): phonenumbers.Format(number, phonenumbers.NATIONAL),
				phones(t, "JP"):   phonenumbers.Format(number, phonenumbers.E164),
			} {
				got, codes := p.Phone(input)
				same(t, input, got, codes, identifiers.Identifier{Stored: want, Canonical: want})
			}
		})
	}
}
