package routes

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/roster-go/roster"
)

// The document is written by hand, a file for each noun, with the endpoints under the paths of their group. What is
// mounted is taken out of it, and the program's own fields are put in.
//
//go:embed openapi/*.json
var openAPIFiles embed.FS

// documentEndpoint serves the document of the endpoints for users (HTTP-137).
func documentEndpoint(m *Mounted) endpoint {
	return endpoint{
		name: "openapi", method: http.MethodGet, path: "/openapi.json", auth: AuthNone,
		handle: func(_ context.Context, r *request) (answer, error) {
			return m.document(r, cachePublic)
		},
	}
}

// adminDocumentEndpoint serves the document of the endpoints for administrators, which is not for everybody.
func adminDocumentEndpoint(m *Mounted) endpoint {
	return endpoint{
		name: "admin_openapi", method: http.MethodGet, path: "/openapi.json", auth: AuthSession, permission: roster.PermissionReadUsers,
		handle: func(_ context.Context, r *request) (answer, error) {
			return m.document(r, cachePrivate)
		},
	}
}

func (m *Mounted) document(r *request, caching string) (answer, error) {
	text, err := m.openAPI()
	if err != nil {
		return answer{}, err
	}
	return document(r, "application/json; charset=utf-8", caching, text)
}

// openAPIFile is what a file says; base.json alone says what the document is.
type openAPIFile struct {
	OpenAPI    string                             `json:"openapi"`
	Info       json.RawMessage                    `json:"info"`
	Paths      map[string]map[string]operation    `json:"paths"`
	Components map[string]map[string]openAPIValue `json:"components"`
}

type (
	operation    = map[string]any
	openAPIValue = map[string]any
)

// described is an operation of the files and where they have it.
type described struct {
	operation
	method, path string
}

// openAPIParts is what all files say together: the operations by name, and what they refer to.
type openAPIParts struct {
	openAPI    string
	info       json.RawMessage
	operations map[string]described
	components map[string]map[string]openAPIValue
}

func readOpenAPI() (openAPIParts, error) {
	p := openAPIParts{operations: map[string]described{}, components: map[string]map[string]openAPIValue{}}
	files, err := fs.Glob(openAPIFiles, "openapi/*.json")
	if err != nil {
		return p, err
	}
	for _, name := range files {
		text, err := openAPIFiles.ReadFile(name)
		if err != nil {
			return p, err
		}
		var file openAPIFile
		if err := json.Unmarshal(text, &file); err != nil {
			return p, fmt.Errorf("read %s: %w", name, err)
		}
		if file.OpenAPI != "" {
			p.openAPI, p.info = file.OpenAPI, file.Info
		}
		for path, operations := range file.Paths {
			for method, o := range operations {
				p.operations[fmt.Sprint(o["operationId"])] = described{o, strings.ToUpper(method), path}
			}
		}
		for kind, list := range file.Components {
			if p.components[kind] == nil {
				p.components[kind] = map[string]openAPIValue{}
			}
			maps.Copy(p.components[kind], list)
		}
	}
	return p, nil
}

// openAPI makes the document of what is mounted under a prefix.
func openAPI(routes []Route, table []endpoint, prefix string, fields []roster.Field, shown viewSchema, b *browser) ([]byte, error) {
	parts, err := readOpenAPI()
	if err != nil {
		return nil, err
	}
	if err := parts.addFields(fields, shown); err != nil {
		return nil, err
	}
	if b != nil {
		parts.addBrowser(b)
	}
	paths := map[string]map[string]operation{}
	for i, route := range routes {
		d, ok := parts.operations[route.Name]
		if path := braces(strings.TrimPrefix(route.Path, prefix)); !ok || d.method != route.Method || d.path != path {
			return nil, fmt.Errorf("the OpenAPI document lacks %s %s (%s)", route.Method, path, route.Name)
		}
		o := d.operation
		if route.Replaced {
			o["x-roster-replaced"] = true
		}
		if route.Permission != "" {
			o["x-roster-permission"] = route.Permission
		}
		if responses, _ := o["responses"].(map[string]any); route.Limit > 0 && responses["429"] == nil {
			responses["429"] = map[string]any{"$ref": "#/components/responses/TooMany"}
		}
		if b != nil {
			parts.byCookie(&table[i], o)
		}
		addParameters(o, prefix)
		parts.addRejections(o)
		path := braces(route.Path)
		if paths[path] == nil {
			paths[path] = map[string]operation{}
		}
		paths[path][strings.ToLower(route.Method)] = o
	}
	if !slices.ContainsFunc(routes, func(r Route) bool { return r.Auth == AuthService }) {
		delete(parts.components["securitySchemes"], "service")
	}
	return json.Marshal(map[string]any{
		"openapi": parts.openAPI, "info": parts.info, "paths": paths, "components": parts.used(paths),
	})
}

// addRejections lets every problem of an operation whose hooks may refuse be one of theirs too: they choose the status
// and the code.
func (p openAPIParts) addRejections(o operation) {
	responses, _ := o["responses"].(map[string]any)
	if _, rejects := responses["4XX"]; !rejects {
		return
	}
	for status, response := range responses {
		if status[0] != '4' || status == "4XX" {
			continue
		}
		described := response.(map[string]any)
		ref, isRef := described["$ref"].(string)
		if !isRef {
			responses[status] = orRejected(described)
			continue
		}
		name := ref[strings.LastIndex(ref, "/")+1:]
		p.components["responses"][name+"OrRejected"] = orRejected(p.components["responses"][name])
		responses[status] = map[string]any{"$ref": ref + "OrRejected"}
	}
}

// orRejected is a copy of a response whose schema takes any problem.
func orRejected(response openAPIValue) openAPIValue {
	return orProblem(response, "anyOf", "Problem")
}

// orProblem is a copy of a response whose schema takes another one too.
func orProblem(response openAPIValue, how, schema string) openAPIValue {
	c := maps.Clone(response)
	content, _ := c["content"].(map[string]any)
	media, _ := content[problemType].(map[string]any)
	c["content"] = map[string]any{problemType: map[string]any{"schema": map[string]any{
		how: []any{media["schema"], map[string]any{"$ref": "#/components/schemas/" + schema}},
	}}}
	return c
}

// addParameters declares the parameters that the prefix of the group has.
func addParameters(o operation, prefix string) {
	for part := range strings.SplitSeq(prefix, "/") {
		if name, isParameter := strings.CutPrefix(part, ":"); isParameter {
			list, _ := o["parameters"].([]any)
			o["parameters"] = append(list, map[string]any{
				"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"},
			})
		}
	}
}

// braces turns the parameters of an Echo path into those of OpenAPI: /users/:id into /users/{id}.
func braces(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// used are the components that paths refer to, directly or not: the document of the users' endpoints says nothing of
// what only administrators see. Ways to prove who asks are named otherwise, and stay.
func (p openAPIParts) used(paths any) map[string]map[string]openAPIValue {
	const schemes = "securitySchemes"
	used := map[string]map[string]openAPIValue{schemes: p.components[schemes]}
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]map[string]operation:
			for _, operations := range v {
				for _, o := range operations {
					visit(o)
				}
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				parts := strings.Split(ref, "/") // #/components/kind/name
				kind, name := parts[2], parts[3]
				if _, seen := used[kind][name]; !seen {
					if used[kind] == nil {
						used[kind] = map[string]openAPIValue{}
					}
					used[kind][name] = p.components[kind][name]
					visit(p.components[kind][name])
				}
			}
			for _, inner := range v {
				visit(inner)
			}
		case []any:
			for _, inner := range v {
				visit(inner)
			}
		}
	}
	visit(paths)
	return used
}
