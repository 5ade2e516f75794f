package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// health asks a running process how it is, for containers that have no other
// program to ask with. It fails when the answer is anything but 200.
func health(ctx context.Context, args []string, out io.Writer) (err error) {
	var url string
	var live bool
	var within time.Duration
	loaded, err := load("health", args, out, func(fs *flag.FlagSet) {
		fs.StringVar(&url, "url", "", "URL of the process; empty: on this machine, where --listen says")
		fs.BoolVar(&live, "live", false, "only whether it is up, not whether it can serve")
		fs.DurationVar(&within, "within", 5*time.Second, "how long it may take to answer")
	})
	if err != nil {
		return err
	}
	if url == "" {
		url = "http://" + reachable(loaded.Server.Listen)
	}
	page := "/readyz"
	if live {
		page = "/healthz"
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+page, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, res.Status)
	}
	_, err = fmt.Fprintln(out, "ok")
	return err
}

// reachable makes an address that is listened on one to connect to.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
