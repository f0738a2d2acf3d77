package main

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// mail is a mail or SMS as the mailbox of development shows it.
type mail struct {
	Kind    string `json:"kind"`
	Channel string `json:"channel"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Link    string `json:"link"`
	Token   string `json:"token"`
	Code    string `json:"code"`
}

// showMailbox answers with all messages, newest first. The name asked for must be this machine's: a page from elsewhere
// could else have its own name lead here, and read them.
func (p *program) showMailbox(c echo.Context) error {
	if !isLoopback(c.Request().Host) {
		return c.String(http.StatusForbidden, "ask for localhost\n")
	}
	list := []mail{}
	for _, m := range p.mailbox.All() {
		list = append(list, mail{
			m.Kind, string(m.Channel), m.To, m.Subject, m.Text, m.HTML, m.Link.Reveal(), m.Token.Reveal(), m.Code.Reveal(),
		})
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, list)
}
