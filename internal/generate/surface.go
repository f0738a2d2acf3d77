package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// A surface is what programs can call of a repo.
type surface struct {
	components []component // in the order in which mixins.Self has them
	repo       []operation // of the repo itself
	hooks      []hook
	imports    map[string]string // package name -> path, of what the signatures name
}

type component struct {
	name       string
	doc        string
	operations []operation
}

type operation struct {
	name      string
	doc       string
	signature string // without func and the name
	params    []param
	calls     []string // the operations that it reaches through Self, sorted
}

// A hook is a method of callbacks.Lifecycle.
type hook struct {
	name  string
	event string // the type of the event in callbacks, with its type argument
}

type param struct {
	name     string
	typ      string
	variadic bool
}

// readSurface reads it from the source of a module.
func readSurface(root fs.FS) (*surface, error) {
	fset := token.NewFileSet()
	files, err := parse(fset, root, "mixins")
	if err != nil {
		return nil, err
	}
	repoFiles, err := parse(fset, root, "usersrepo")
	if err != nil {
		return nil, err
	}
	known, calls := packages{}, graph{}
	err = errors.Join(calls.read(fset, known, module+"/mixins", files), calls.read(fset, known, module+"/usersrepo", repoFiles))
	if err != nil {
		return nil, err
	}
	s := &surface{imports: importsOf(files)}
	if s.hooks, err = readHooks(fset, root); err != nil {
		return nil, err
	}
	if s.components, err = readComponents(fset, files); err != nil {
		return nil, err
	}
	operations := map[*types.Func]bool{}
	for _, c := range s.components {
		for i, op := range c.operations {
			m := method(known[module+"/mixins"], c.name, op.name)
			if m == nil {
				return nil, fmt.Errorf("%s has no method %s", c.name, op.name)
			}
			operations[m] = true
			c.operations[i].calls = calls.reached(m)
		}
	}
	if err := calls.direct(operations); err != nil {
		return nil, err
	}
	for _, file := range repoFiles {
		for _, fn := range functions(file) {
			if fn.Recv != nil && typeName(fn.Recv.List[0].Type) == "UsersRepo" && fn.Name.IsExported() {
				op := newOperation(fset, fn.Name.Name, fn.Doc, fn.Type)
				op.calls = calls.reached(method(known[module+"/usersrepo"], "UsersRepo", op.name))
				s.repo = append(s.repo, op)
			}
		}
	}
	return s, nil
}

// readHooks reads the interface callbacks.Lifecycle.
func readHooks(fset *token.FileSet, root fs.FS) ([]hook, error) {
	files, err := parse(fset, root, "callbacks")
	if err != nil {
		return nil, err
	}
	lifecycle, ok := interfacesOf(files)["Lifecycle"]
	if !ok {
		return nil, errors.New("callbacks has no interface Lifecycle")
	}
	var list []hook
	for _, m := range lifecycle.Methods.List {
		event := m.Type.(*ast.FuncType).Params.List[1].Type.(*ast.StarExpr).X
		list = append(list, hook{m.Names[0].Name, source(fset, event)})
	}
	return list, nil
}

// readComponents reads the interfaces that mixins.Self is made of.
func readComponents(fset *token.FileSet, files []*ast.File) ([]component, error) {
	interfaces, docs := interfacesOf(files), map[string]string{}
	for _, file := range files {
		for _, spec := range typesOf(file) {
			docs[spec.Name.Name] = spec.Doc.Text()
		}
	}
	self, ok := interfaces["Self"]
	if !ok {
		return nil, errors.New("mixins has no interface Self")
	}
	var list []component
	for _, embedded := range self.Methods.List {
		name, isComponent := strings.CutSuffix(typeName(embedded.Type), "Ops")
		if !isComponent {
			continue // the hooks
		}
		ops, ok := interfaces[name+"Ops"]
		if !ok {
			return nil, fmt.Errorf("mixins has no interface %sOps", name)
		}
		list = append(list, component{name, docs[name], operationsOf(fset, interfaces, ops)})
	}
	return list, nil
}

// operationsOf reads the operations of an interface, and of those that it embeds.
func operationsOf(fset *token.FileSet, interfaces map[string]*ast.InterfaceType, ops *ast.InterfaceType) []operation {
	var list []operation
	for _, m := range ops.Methods.List {
		for _, ident := range m.Names {
			list = append(list, newOperation(fset, ident.Name, m.Doc, m.Type.(*ast.FuncType)))
		}
		if embedded, ok := interfaces[typeName(m.Type)]; ok && len(m.Names) == 0 {
			list = append(list, operationsOf(fset, interfaces, embedded)...)
		}
	}
	return list
}

// method returns the method of a type of a package; nil when there is none.
func method(pkg *types.Package, typ, name string) *types.Func {
	t := pkg.Scope().Lookup(typ)
	if t == nil {
		return nil
	}
	found, _, _ := types.LookupFieldOrMethod(t.Type(), true, pkg, name)
	fn, _ := found.(*types.Func)
	return fn
}

// importsOf are the packages that files import, by the name that they go by there.
func importsOf(files []*ast.File) map[string]string {
	imports := map[string]string{}
	for _, file := range files {
		for _, spec := range file.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			imports[path.Base(p)] = p
		}
	}
	return imports
}

// operations are those of all components.
func (s *surface) operations() []operation {
	var list []operation
	for _, c := range s.components {
		list = append(list, c.operations...)
	}
	return list
}

// parse reads the files of a package, without tests, in the order of their names.
func parse(fset *token.FileSet, root fs.FS, dir string) ([]*ast.File, error) {
	names, err := fs.Glob(root, dir+"/*.go")
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(fset, name, source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// typesOf are the types that a file declares; one that stands alone has the comment of its declaration.
func typesOf(file *ast.File) []*ast.TypeSpec {
	var list []*ast.TypeSpec
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				if t.Doc == nil {
					t.Doc = gen.Doc
				}
				list = append(list, t)
			}
		}
	}
	return list
}

func interfacesOf(files []*ast.File) map[string]*ast.InterfaceType {
	interfaces := map[string]*ast.InterfaceType{}
	for _, file := range files {
		for _, spec := range typesOf(file) {
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				interfaces[spec.Name.Name] = i
			}
		}
	}
	return interfaces
}

func functions(file *ast.File) []*ast.FuncDecl {
	var list []*ast.FuncDecl
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			list = append(list, fn)
		}
	}
	return list
}

// typeName is the name of a type without its package, pointer and type arguments.
func typeName(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.Ident:
		return t.Name
	}
	return ""
}

func newOperation(fset *token.FileSet, name string, doc *ast.CommentGroup, fn *ast.FuncType) operation {
	op := operation{name: name, doc: doc.Text(), signature: strings.TrimPrefix(source(fset, fn), "func")}
	for _, field := range fn.Params.List {
		_, variadic := field.Type.(*ast.Ellipsis)
		for _, ident := range field.Names {
			op.params = append(op.params, param{ident.Name, source(fset, field.Type), variadic})
		}
	}
	return op
}

// source is a node as it is written.
func source(fset *token.FileSet, node ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, fset, node) // a strings.Builder takes everything
	return b.String()
}
