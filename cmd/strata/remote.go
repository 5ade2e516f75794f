package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"strata/domain"
)

// keyVariable holds the API key that tools show to a running server.
const keyVariable = "STRATA_API_KEY"

// remote is a running server that a tool talks to.
type remote struct {
	base   string
	key    string
	client *http.Client
}

// newRemote makes the client of a server; the key comes from the environment.
func newRemote(base string) (*remote, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--server must be the URL of a server, such as http://localhost:8000, not %q", base)
	}
	key := os.Getenv(keyVariable)
	if key == "" {
		return nil, fmt.Errorf("--server needs an API key of somebody who runs the installation in %s", keyVariable)
	}
	return &remote{base: strings.TrimRight(base, "/"), key: key, client: &http.Client{Timeout: time.Minute}}, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// call sends a request to the enveloped mount and decodes the answer's data. A
// refusal comes back as the *domain.Error that the server answered.
func (r *remote) call(ctx context.Context, method, path string, body, into any) (err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	var answer struct {
		Data  json.RawMessage
		Error *struct {
			Code    domain.Code
			Message string
			Details []domain.FieldError
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("%s answered %s, which is no answer of Strata", r.base, res.Status)
	}
	if e := answer.Error; e != nil {
		return &domain.Error{Code: e.Code, Message: e.Message, Fields: e.Details}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, into)
}
