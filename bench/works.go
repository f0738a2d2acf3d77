package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
)

// always sends the same request, which is answered by 200.
func always(request []byte) conversation {
	return conversation{status: http.StatusOK, next: func() []byte { return request }}
}

// guard asks for what is guarded and does nothing.
func (s *stage) guard() work {
	return func(i int) conversation { return always(get("/guarded", s.tokens[i].Access)) }
}

func (s *stage) me() work {
	return func(i int) conversation { return always(get("/api/me", s.tokens[i].Access)) }
}

// login logs in users who were not logged in before: the oldest of many sessions would be ended each time.
func (s *stage) login(status int, password string) work {
	var next atomic.Int64
	return func(int) conversation {
		return conversation{status: status, next: func() []byte {
			n := people + 1 + int(next.Add(1))%(s.users-people)
			return post("/api/login", credentials(n, password))
		}}
	}
}

// count asks for a counter of the worker's own.
func (s *stage) count(what string) work {
	return func(i int) conversation { return always(get(fmt.Sprintf("/count/%s/%d", what, i), "")) }
}

// nobody tries to log in users who are not there.
func (s *stage) nobody() work {
	var next atomic.Int64
	return func(int) conversation {
		return conversation{status: http.StatusUnauthorized, next: func() []byte {
			return post("/api/login", fmt.Sprintf(`{"login":"nobody-%d","password":%q}`, next.Add(1), password))
		}}
	}
}

const wrongPassword = "wrong horse battery"

// register makes an account each time.
func (s *stage) register() work {
	return func(int) conversation {
		return conversation{status: http.StatusCreated, next: func() []byte {
			name := fmt.Sprintf("%s%d", registered, registrations.Add(1))
			return post("/api/register", fmt.Sprintf(
				`{"username":%q,"email":"%s@example.org","password":%q,"display_name":"Ann Bench","company":"Bench Ltd"}`, name, name, password))
		}}
	}
}

var registrations atomic.Int64

// registered begins the username of everybody who was registered by us, and of nobody else.
const registered = "registered-"

// refresh spends a token after the other. The list has the current ones.
func refresh(list []string) work {
	return func(i int) conversation {
		return conversation{
			status: http.StatusOK,
			next:   func() []byte { return post("/api/token/refresh", fmt.Sprintf(`{"refresh_token":%q}`, list[i])) },
			read: func(body []byte) error {
				var answer tokens
				if err := json.Unmarshal(body, &answer); err != nil {
					return err
				}
				list[i] = answer.Refresh
				return nil
			},
		}
	}
}

func (s *stage) refreshTokens() []string {
	list := make([]string, len(s.tokens))
	for i, t := range s.tokens {
		list[i] = t.Refresh
	}
	return list
}

const listPath = "/api/admin/users?limit=50"

// list asks for a page of fifty, from the beginning or behind a cursor.
func (s *stage) list(cursor string) work {
	path := listPath
	if cursor != "" {
		path += "&cursor=" + cursor
	}
	return func(i int) conversation { return always(get(path, s.tokens[i].Access)) }
}

// prefix looks for addresses that begin alike, part for a piece of a company's name; each time for others.
func (s *stage) prefix() work {
	return s.search(s.users/samePrefix, func(group int) string { return "&email.starts_with=" + prefixOf(group) })
}

func (s *stage) part() work {
	return s.search(s.users/sameCompany, func(group int) string { return "&q=" + companyOf(group)[2:9] })
}

func (s *stage) search(groups int, query func(group int) string) work {
	return func(i int) conversation {
		group := i * 997
		return conversation{status: http.StatusOK, next: func() []byte {
			group = (group + 7919) % groups
			return get(listPath+query(group), s.tokens[i].Access)
		}}
	}
}
