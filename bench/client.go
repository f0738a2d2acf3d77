package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// client is one connection that is kept. It does little, since it has the machine in common with the servers.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	body   bytes.Buffer
}

// patience is the longest that an answer may take.
const patience = time.Minute

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// exchange sends the next request of a conversation and reads the answer.
func (c *client) exchange(with conversation) error {
	request := with.next()
	status, body, err := c.send(request)
	if err != nil {
		return err
	}
	if status != with.status {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		return fmt.Errorf("%s: status %d, want %d: %s", line, status, with.status, body)
	}
	if with.read == nil {
		return nil
	}
	return with.read(body)
}

// send returns a body that is good until the next one.
func (c *client) send(request []byte) (status int, body []byte, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	c.body.Reset()
	if _, err := io.Copy(&c.body, answer.Body); err != nil {
		return 0, nil, err
	}
	return answer.StatusCode, c.body.Bytes(), nil
}

// get and post write requests as a browser's few necessary lines.
func get(path, token string) []byte {
	head := "GET " + path + " HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\n"
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	return []byte(head + "\r\n")
}

func post(path, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}
