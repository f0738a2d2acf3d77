package identifiers_test

import (
	"testing"

	"github.com/roster-go/roster/identifiers"
)

func BenchmarkUsername(b *testing.B) {
	p := newParser(b, identifiers.Config{})
	for name, input := range map[string]string{"lower": "alice.miller-1", "mixed": "AliceMiller", "accents": "Éric.Müller", "Han": "山田taro", "Ethiopic": "ትክክለኛ-የተጠቃሚ-ስም"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Username(input)
			}
		})
	}
}

func BenchmarkEmail(b *testing.B) {
	p := newParser(b, identifiers.Config{})
	for name, input := range map[string]string{"lower": "alice.miller@example.com", "mixed": "Alice@Example.com", "encoded": "alice@xn--bcher-kva.example", "Unicode": "alice@bücher.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Email(b.Context(), input)
			}
		})
	}
}

func BenchmarkPhone(b *testing.B) {
	p := newParser(b, identifiers.Config{Phone: identifiers.PhoneConfig{DefaultRegion: "US"}})
	for name, input := range map[string]string{"E164": "+12025550123", "national": "(202) 555-0123", "foreign": "+442083661177", "invalid": "+999123456789"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Phone(input)
			}
		})
	}
}

func BenchmarkCounterKey(b *testing.B) {
	p := newParser(b, identifiers.Config{})
	for name, input := range map[string]string{"username": "alice.miller", "email": "alice.miller@example.com", "invalid": "correct horse battery", "long": string(make([]byte, 1<<20))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.CounterKey(input)
			}
		})
	}
}
