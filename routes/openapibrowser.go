package routes

import (
	"maps"
	"slices"
	"strings"
)

// addBrowser puts into the components what is only there where tokens travel in cookies.
func (p openAPIParts) addBrowser(b *browser) {
	maps.Copy(p.components["securitySchemes"], map[string]openAPIValue{
		"cookie": {
			"type": "apiKey", "in": "cookie", "name": b.prefix + accessCookie,
			"description": "The access token of a session, in a cookie that registering, logging in and refreshing set. It is not looked at where there is an Authorization header.",
		},
		"csrf": {
			"type": "apiKey", "in": "header", "name": "X-CSRF-Token",
			"description": "What the cookie " + b.prefix + csrfCookie + " says, beside a cookie that is the proof of a request which may change something. Such a request has to come from a page of the program's own origin.",
		},
		"refresh": {
			"type": "apiKey", "in": "cookie", "name": b.prefix + refreshCookie,
			"description": "The refresh token of a session.",
		},
	})
	schemas := p.components["schemas"]
	properties := func(schema string) map[string]any { return schemas[schema]["properties"].(map[string]any) }
	csrf := map[string]any{"type": "string", "description": "For the header X-CSRF-Token; the same as in the cookie. Only where the tokens are in cookies."}
	for _, schema := range []string{"TokenPair", "Registered", "LoggedIn"} {
		properties(schema)["csrf_token"] = csrf
	}
	inBody := []string{"access_token", "refresh_token"}
	schemas["TokenPair"]["required"] = slices.DeleteFunc(schemas["TokenPair"]["required"].([]any), func(name any) bool {
		return slices.Contains(inBody, name.(string))
	})
	if !b.choose {
		for _, name := range inBody {
			delete(properties("TokenPair"), name)
		}
		delete(properties("Registered"), "device_token")
		delete(properties("LoggedIn"), "device_token")
	} else {
		for _, schema := range []string{"Registration", "Credentials", "CheckCode"} {
			properties(schema)["transport"] = map[string]any{
				"type": []any{"string", "null"}, "enum": []any{string(TransportBody), string(TransportCookie), nil},
				"description": "Whether the answer has the tokens in its body, as unless this is said, or in cookies.",
			}
		}
	}
	schemas["OptionalRefreshToken"] = openAPIValue{
		"type": "object", "additionalProperties": false, "properties": map[string]any{"refresh_token": map[string]any{
			"type": []any{"string", "null"}, "writeOnly": true, "description": "Where it is not in a cookie.",
		}},
	}
	schemas["CSRFProblem"] = openAPIValue{"allOf": []any{
		map[string]any{"$ref": "#/components/schemas/Problem"},
		map[string]any{"properties": map[string]any{"code": map[string]any{"const": "csrf_failed"}}},
	}}
	p.components["responses"]["CSRFFailed"] = openAPIValue{
		"description": "A page of another origin may have made the browser ask, or X-CSRF-Token is not that of the session.",
		"headers":     map[string]any{"X-Request-Id": map[string]any{"$ref": "#/components/headers/RequestId"}},
		"content": map[string]any{problemType: map[string]any{
			"schema": map[string]any{"$ref": "#/components/schemas/CSRFProblem"},
		}},
	}
}

const problemType = "application/problem+json"

// byCookie says of an operation how cookies prove who asks, and when they do not.
func (p openAPIParts) byCookie(e *endpoint, o operation) {
	unsafe := !isSafe(e.method)
	list, _ := o["security"].([]any)
	checked := e.enters || e.renews || e.leaves
	for _, way := range slices.Clone(list) {
		if _, ok := way.(map[string]any)["bearer"]; !ok {
			continue
		}
		also := map[string]any{"cookie": []any{}}
		if unsafe {
			also["csrf"], checked = []any{}, true
		}
		list = append(list, also)
	}
	if e.renews {
		list = []any{map[string]any{"refresh": []any{}}, map[string]any{}}
		o["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{
			"schema": map[string]any{"$ref": "#/components/schemas/OptionalRefreshToken"},
		}}}
	}
	o["security"] = list
	if checked {
		p.orCSRF(o)
	}
}

// orCSRF lets an operation fail for a page of another origin.
func (p openAPIParts) orCSRF(o operation) {
	const failed = "CSRFFailed"
	responses := o["responses"].(map[string]any)
	response, _ := responses["403"].(map[string]any)
	if response == nil {
		responses["403"] = map[string]any{"$ref": "#/components/responses/" + failed}
		return
	}
	ref, isRef := response["$ref"].(string)
	if !isRef {
		responses["403"] = orProblem(response, "oneOf", "CSRFProblem")
		return
	}
	name := ref[strings.LastIndex(ref, "/")+1:]
	p.components["responses"][name+"Or"+failed] = orProblem(p.components["responses"][name], "oneOf", "CSRFProblem")
	responses["403"] = map[string]any{"$ref": ref + "Or" + failed}
}
