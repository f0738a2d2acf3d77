package store

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// named is a value of a statement that names its values, as $user.
type named struct {
	name  string
	value any
}

// nameRow names the values of a row, and returns them with the names as a list for a statement.
func nameRow(table string, values []any) (list []named, names string) {
	texts := make([]string, len(values))
	for i, value := range values {
		name := table + "_" + strconv.Itoa(i)
		list = append(list, named{name, value})
		texts[i] = "$" + name
	}
	return list, strings.Join(texts, ", ")
}

// numbering is such a statement with numbers in place of the names, and which of the values the numbers are.
type numbering struct {
	template string
	places   []int
}

// numberings keeps what was numbered: there are as many as there are statements with names in the code.
var numberings sync.Map // template -> numbering

// number returns a template as the rest of the store wants it, and those of the values that it names in the order of their
// numbers. For a template it is given the same names each time.
func number(template string, values []named) (string, []any) {
	found, ok := numberings.Load(template)
	if !ok {
		found, _ = numberings.LoadOrStore(template, numberingOf(template, values))
	}
	n := found.(numbering)
	args := make([]any, len(n.places))
	for i, place := range n.places {
		args[i] = values[place].value
	}
	return n.template, args
}

func numberingOf(template string, values []named) numbering {
	var n numbering
	byLength := make([]int, len(values)) // a name may begin another
	for i := range values {
		byLength[i] = i
	}
	slices.SortFunc(byLength, func(i, j int) int { return cmp.Compare(len(values[j].name), len(values[i].name)) })
	n.template = template
	for _, i := range byLength {
		name := "$" + values[i].name
		if strings.Contains(n.template, name) {
			n.places = append(n.places, i)
			n.template = strings.ReplaceAll(n.template, name, "$"+strconv.Itoa(len(n.places)))
		}
	}
	if left := unnumbered.FindString(n.template); left != "" {
		panic("store: nothing is called " + left + " in " + template)
	}
	return n
}

var unnumbered = regexp.MustCompile(`\$[a-z_]\w*`)

// clause is a statement within another one, by its name there.
type clause struct{ name, text string }

// with is the beginning of a statement that has clauses.
func with(parts []clause) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = p.name + " AS (" + p.text + ")"
	}
	return "WITH " + strings.Join(list, ", ")
}
