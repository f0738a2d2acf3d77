package notify

import (
	"fmt"
	"reflect"
	"text/template/parse"
)

// printFunc ends the pipeline of every action of a text template that prints.
const printFunc = "_line"

// printLines makes a text template print each value as one line, so that a value cannot end a paragraph and begin
// one of its own. It does for text what html/template does for HTML.
func printLines(tree *parse.Tree) {
	if tree != nil && tree.Root != nil {
		printLinesIn(tree.Root)
	}
}

func printLinesIn(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			if len(node.Pipe.Decl) == 0 {
				name := parse.NewIdentifier(printFunc).SetPos(node.Pos).SetTree(nil)
				node.Pipe.Cmds = append(node.Pipe.Cmds,
					&parse.CommandNode{NodeType: parse.NodeCommand, Pos: node.Pos, Args: []parse.Node{name}})
			}
		case *parse.IfNode:
			printLinesIn(node.List)
			printLinesIn(node.ElseList)
		case *parse.WithNode:
			printLinesIn(node.List)
			printLinesIn(node.ElseList)
		case *parse.RangeNode:
			printLinesIn(node.List)
			printLinesIn(node.ElseList)
		}
	}
}

// printLine prints a value as text/template does, in one line, and nil as nothing.
func printLine(value any) string {
	for v := reflect.ValueOf(value); v.Kind() == reflect.Pointer; v = v.Elem() {
		if v.IsNil() {
			return ""
		}
		value = v.Interface()
		switch value.(type) {
		case fmt.Stringer, error:
			return oneLine(fmt.Sprint(value))
		}
		value = v.Elem().Interface()
	}
	if value == nil {
		return ""
	}
	return oneLine(fmt.Sprint(value))
}
