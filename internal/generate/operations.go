package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const operationsHead = `# Operations

<!-- Written by internal/generate from the source of mixins: "make docs". Do not edit. -->

What a ` + "`usersrepo.UsersRepo`" + ` can do, by component. U is the program's user type.

An operation that a program defines on its own type is the one that runs, wherever it is called. *Calls* lists the
operations that one reaches through the program's value, *called by* those that reach it: what an override of it is seen
by. Which of them are called depends on the input and on what is found; hooks are listed in package callbacks.
`

// writeOperations writes docs/operations.md.
func writeOperations(w io.Writer, s *surface) {
	fmt.Fprint(w, operationsHead)
	callers := map[string][]string{}
	for _, op := range append(s.operations(), s.repo...) {
		for _, called := range op.calls {
			callers[called] = append(callers[called], op.name)
		}
	}
	for _, c := range s.components {
		fmt.Fprintf(w, "\n## %s\n\n%s\n", c.name, paragraph(c.doc))
		for _, op := range c.operations {
			op.write(w, callers[op.name])
		}
	}
	fmt.Fprint(w, "\n## The repo itself\n\nThese are no operations: overriding them changes nothing for others.\n")
	for _, op := range s.repo {
		op.write(w, nil)
	}
}

func (op operation) write(w io.Writer, callers []string) {
	fmt.Fprintf(w, "\n### %s\n\n```go\n%s%s\n```\n\n%s\n", op.name, op.name, op.signature, paragraph(op.doc))
	var notes []string
	if len(op.calls) > 0 {
		notes = append(notes, "*calls* "+links(op.calls))
	}
	if len(callers) > 0 {
		notes = append(notes, "*called by* "+links(callers))
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(notes, " · "))
	}
}

// paragraph is a comment on one line.
func paragraph(doc string) string { return strings.Join(strings.Fields(doc), " ") }

func links(names []string) string {
	names = slices.Sorted(slices.Values(names))
	for i, name := range names {
		names[i] = fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	return strings.Join(names, ", ")
}
