package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
)

// A graph tells what functions and methods use.
type graph map[*types.Func]*uses

type uses struct {
	operations map[string]bool // reached through Self
	helpers    map[*types.Func]bool
}

// packages resolves names across the packages that are read here. Others are left empty: what is theirs does not matter.
type packages map[string]*types.Package

// Import implements types.Importer.
func (p packages) Import(importPath string) (*types.Package, error) {
	if _, ok := p[importPath]; !ok {
		empty := types.NewPackage(importPath, path.Base(importPath))
		empty.MarkComplete()
		p[importPath] = empty
	}
	return p[importPath], nil
}

// read adds the functions of a package to the graph.
func (g graph) read(fset *token.FileSet, known packages, importPath string, files []*ast.File) error {
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	cfg := types.Config{Importer: known, Error: func(error) {}} // of what the empty packages lack
	known[importPath], _ = cfg.Check(importPath, fset, files, info)
	var errs []error
	for _, file := range files {
		for _, decl := range functions(file) {
			fn, ok := info.Defs[decl.Name].(*types.Func)
			if !ok || decl.Body == nil {
				continue
			}
			u := &uses{map[string]bool{}, map[*types.Func]bool{}}
			g[fn] = u
			ast.Inspect(decl.Body, func(node ast.Node) bool {
				switch n := node.(type) {
				case *ast.Ident:
					u.note(info.Uses[n])
				case *ast.SelectorExpr:
					if self, ok := n.X.(*ast.SelectorExpr); ok && self.Sel.Name == "Self" && info.Uses[n.Sel] == nil {
						errs = append(errs, fmt.Errorf("%s: cannot tell what %s is", fset.Position(n.Pos()), n.Sel.Name))
					}
				}
				return true
			})
		}
	}
	return errors.Join(errs...)
}

// note notes a function that is called or handed on. Those of an exported interface are reached through Self; those that
// mixins keeps to itself are no operations.
func (u *uses) note(used types.Object) {
	fn, ok := used.(*types.Func)
	if !ok {
		return
	}
	fn = fn.Origin()
	if recv := fn.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) {
		if named, ok := recv.Type().(*types.Named); !ok || named.Obj().Exported() {
			u.operations[fn.Name()] = true
		}
	} else {
		u.helpers[fn] = true
	}
}

// reached are the operations that a method calls through Self, by itself or by its helpers, sorted.
func (g graph) reached(method *types.Func) []string {
	found, seen := map[string]bool{}, map[*types.Func]bool{method: true}
	for queue := []*types.Func{method}; len(queue) > 0; queue = queue[1:] {
		u, ok := g[queue[0]]
		if !ok {
			continue
		}
		maps.Copy(found, u.operations)
		for helper := range u.helpers {
			if !seen[helper] {
				seen[helper] = true
				queue = append(queue, helper)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// direct returns an error for each use of an operation that goes past Self: an override of it would not be seen there.
func (g graph) direct(operations map[*types.Func]bool) error {
	var errs []error
	for fn, u := range g {
		for used := range u.helpers {
			if operations[used] {
				errs = append(errs, fmt.Errorf("%s calls %s past Self", fn.Name(), used.Name()))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
