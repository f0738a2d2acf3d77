package routes

import (
	"reflect"
	"strings"

	"github.com/labstack/echo/v4"
)

// place is where a group mounts its routes.
type place struct {
	prefix string
	routes map[string]bool // method and shape of the path
}

// has reports whether a path of the same shape is there already: Echo would let the new route take its place.
func (p place) has(method, path string) bool { return p.routes[method+shape(path)] }

// placeOf reads the prefix of a group, and which routes its router has. Echo keeps both to itself; should it keep them
// otherwise one day, the tests of mounting say so.
func placeOf(group *echo.Group) place {
	p := place{routes: map[string]bool{}}
	g := reflect.ValueOf(group).Elem()
	if prefix := g.FieldByName("prefix"); prefix.Kind() == reflect.String {
		p.prefix = prefix.String()
	}
	if p.prefix != "" && p.prefix[0] != '/' {
		p.prefix = "/" + p.prefix // as Echo has it
	}
	e := g.FieldByName("echo")
	if e.Kind() != reflect.Pointer || e.IsNil() {
		return p
	}
	router := e.Elem().FieldByName("router")
	if host := g.FieldByName("host"); host.Kind() == reflect.String && host.String() != "" {
		router = e.Elem().FieldByName("routers").MapIndex(host)
	}
	if router.Kind() != reflect.Pointer || router.IsNil() {
		return p
	}
	routes := router.Elem().FieldByName("routes")
	if routes.Kind() != reflect.Map || routes.Type().Key().Kind() != reflect.String {
		return p
	}
	for _, key := range routes.MapKeys() {
		method, path, _ := strings.Cut(key.String(), "/")
		p.routes[method+shape("/"+path)] = true
	}
	return p
}

// shape is a path without the names of its parameters.
func shape(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, ":") {
			parts[i] = ":"
		}
	}
	return strings.Join(parts, "/")
}
