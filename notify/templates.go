package notify

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed templates
var builtin embed.FS

// Templates are the texts of all kinds of messages in all languages. The files are named
//
//	email_confirm/en.subject.txt   the subject, one line
//	email_confirm/en.txt           the text
//	email_confirm/en.html          the same in HTML; an empty file leaves HTML out
//	code_sms/en.sms.txt            the text of an SMS, for kinds that go by SMS
//	phrases/en.txt, phrases/en.html   sentences that the texts of a language share
//	layout.html                    the frame of all HTML
//
// and written in the language of text/template and html/template, with [Data]. Two functions say times in the
// language of the file: {{duration .ExpiresIn}} and {{datetime .When}}.
type Templates struct {
	kinds     map[medium]kind
	languages languages
}

// medium is a kind on a channel: a notice reads otherwise by SMS.
type medium struct {
	kind    string
	channel Channel
}

// kind is the messages of a kind by language.
type kind struct {
	languages languages
	// texts are parsed when the first message needs them, and kept: all of them together are most of what a garbage
	// collector would have to look at, and a process sends a few kinds in a language or two.
	texts map[string]func() (texts, error)
}

// texts is one message in one language.
type texts struct {
	subject *part // nil is none
	text    part
	html    *part // nil is none
}

// part is a file. Its language is not that of the message where another stands in.
type part struct {
	name, language string
	template       interface {
		Execute(w io.Writer, data any) error
	}
}

// NewTemplates returns the built-in templates, each replaced by the file of the same name in overrides, if there is
// one; nil overrides nothing. A file for another language adds it: where a kind has no file in it, English stands in,
// but a text is not sent with the HTML of another language. A file that is no template's is an error.
//
// With overrides each template is tried, with what can be absent and without. The sample gives what only the program knows:
// its User, and its Vars. All errors are told at once, with file and line.
func NewTemplates(overrides fs.FS, sample Data) (*Templates, error) {
	files, err := readFiles(overrides)
	if err != nil {
		return nil, fmt.Errorf("notify: templates: %w", err)
	}
	t := &Templates{kinds: map[medium]kind{}}
	matchers := matchers{}
	var all []string
	var faults []error
	for _, name := range Kinds() {
		for _, channel := range traitsOf[name].channels {
			k := kind{languages: matchers.of(files.languages(name, channel)), texts: map[string]func() (texts, error){}}
			for _, language := range k.languages.names {
				parse := func() (texts, error) { return files.parse(name, channel, language) }
				k.texts[language] = sync.OnceValues(parse)
				if overrides == nil {
					continue // the built-in ones are sound, and to try them all takes a third of a program's start
				}
				parsed, err := parse()
				if err == nil {
					err = parsed.try(name, sample)
				}
				faults = append(faults, err)
			}
			t.kinds[medium{name, channel}] = k
			all = append(all, k.languages.names...)
		}
	}
	t.languages = matchers.of(all)
	if err := joinOnce(faults); err != nil {
		return nil, fmt.Errorf("notify: templates: %w", err)
	}
	return t, nil
}

// joinOnce joins errors, and of those that read alike one.
func joinOnce(faults []error) error {
	seen := map[string]bool{}
	var list []error
	for _, err := range faults {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}

// Languages returns the BCP 47 tags of the languages in which there is anything, English first.
func (t *Templates) Languages() []string { return slices.Clone(t.languages.names) }

// Match returns the language that suits best, of those that Languages returns. Preferences come first to last; each
// is a BCP 47 tag ("de-AT") or the value of an Accept-Language header. Where none is to be had it is "en".
func (t *Templates) Match(preferences ...string) string { return t.languages.match(preferences) }

// Render makes the mail of a kind in the language that suits best, of those that this kind has, and returns which one
// it was; language is as for Match. Errors are permanent: trying again does not mend a template.
func (t *Templates) Render(kind, language string, data Data) (subject, text, html, used string, err error) {
	return t.render(medium{kind, Email}, language, data)
}

// RenderSMS makes the SMS of a kind, as Render does the mail.
func (t *Templates) RenderSMS(kind, language string, data Data) (text, used string, err error) {
	_, text, _, used, err = t.render(medium{kind, SMS}, language, data)
	return strings.TrimSpace(text), used, err
}

func (t *Templates) render(of medium, language string, data Data) (subject, text, html, used string, err error) {
	k, ok := t.kinds[of]
	if !ok {
		return "", "", "", "", Permanent(fmt.Errorf("notify: render: no kind %q goes by %s", of.kind, of.channel))
	}
	used = k.languages.match([]string{language})
	parsed, err := k.texts[used]()
	if err == nil {
		subject, text, html, err = parsed.render(data.view(of.kind))
	}
	if err != nil {
		return "", "", "", "", Permanent(fmt.Errorf("notify: render: %w", err))
	}
	return subject, text, html, used, nil
}

func (t texts) try(kind string, sample Data) error {
	for _, data := range sample.samples() {
		if _, _, _, err := t.render(data.view(kind)); err != nil {
			return err
		}
	}
	return nil
}

func (t texts) render(v view) (subject, text, html string, err error) {
	if t.subject != nil {
		if subject, err = t.subject.execute(v); err != nil {
			return "", "", "", err
		}
		if subject = oneLine(subject); subject == "" {
			return "", "", "", fmt.Errorf("%s: says nothing", t.subject.name)
		}
	}
	if text, err = t.text.execute(v); err != nil {
		return "", "", "", err
	}
	if text == "" {
		return "", "", "", fmt.Errorf("%s: says nothing", t.text.name)
	}
	if t.html != nil {
		html, err = t.html.execute(v)
	}
	return subject, text, html, err
}

func (p part) execute(v view) (string, error) {
	v.Language = p.language
	var b strings.Builder
	err := p.template.Execute(&b, v)
	return tidy(b.String()), err
}

var (
	lineEnd    = regexp.MustCompile(`[ \t]*\r?\n`)
	blankLines = regexp.MustCompile(`\n{3,}`)
)

// tidy takes away what the conditions in a template leave: trailing spaces and more than one blank line.
func tidy(text string) string {
	text = blankLines.ReplaceAllString(lineEnd.ReplaceAllString(text, "\n"), "\n\n")
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	return text + "\n"
}
