package workflows

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"strings"

	"strata/commands/steps"
	"strata/domain/catalogue"
	"strata/domain/secret"
	"strata/internal/vault"
)

// covered are the secrets that the headers of an http node refer to. While places
// are filled in, marks stand for the references, which nobody can guess: what comes
// out of a place can look like a reference, and is none.
type covered struct {
	names   map[string]string // by mark
	headers []string          // that refer to secrets
	values  []string          // of the secrets, once they were looked up
}

// cover puts marks in the place of the references in the node's headers.
func (j *job) cover() *covered {
	c := &covered{names: map[string]string{}}
	texts := map[string]string{}
	for header, text := range j.node.Headers() {
		if len(secret.Names(text)) == 0 {
			continue
		}
		c.headers = append(c.headers, header)
		texts[header] = secret.Fill(text, func(name string) string {
			mark := rand.Text()
			c.names[mark] = name
			return mark
		})
	}
	j.node = j.node.WithHeaders(texts)
	return c
}

// show is a config with references in the place of marks.
func (c *covered) show(config map[string]any) map[string]any {
	headers, is := config["headers"].(map[string]any)
	if !is || len(c.names) == 0 {
		return config
	}
	shown := maps.Clone(headers)
	for _, header := range c.headers {
		text, _ := shown[header].(string)
		for mark, name := range c.names {
			text = strings.ReplaceAll(text, mark, "{{secret."+name+"}}")
		}
		shown[header] = text
	}
	out := maps.Clone(config)
	out["headers"] = shown
	return out
}

// open puts the secrets' values in the place of the marks in headers.
func (c *covered) open(ctx context.Context, s *Service, run steps.Ref, workflow string, headers map[string]string) (err error) {
	if len(c.names) == 0 {
		return nil
	}
	values, texts := map[string]*string{}, []*string{}
	for mark, name := range c.names {
		value := "{{secret." + name + "}}"
		values[mark], texts = &value, append(texts, &value)
	}
	c.values, err = s.Secrets.Fill(ctx, vault.Consumer{Workspace: run.Workspace, Kind: catalogue.Workflows.Name, ID: workflow}, texts...)
	if err != nil {
		return err
	}
	for _, header := range c.headers {
		for mark, value := range values {
			headers[header] = strings.ReplaceAll(headers[header], mark, *value)
		}
	}
	return nil
}

// hide takes the secrets' values out of what the address answered.
func (c *covered) hide(output map[string]any) any { return secret.HideIn(output, c.values) }

const mostRedirects = 5

// follow decides whether a request goes on to where the answer leads. Secrets are for
// the address that the node names, and do not go with it to another.
func (c *covered) follow(req *http.Request, via []*http.Request) error {
	if len(via) > mostRedirects {
		return errors.New("too many redirects")
	}
	if first := via[0].URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		for _, header := range c.headers {
			req.Header.Del(header)
		}
	}
	return nil
}
