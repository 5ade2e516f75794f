package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/gorilla/mux"
)

// echoCommand is the argument that turns this program into the bare server that
// Strata is compared with. It is a process of its own, as Strata is.
const echoCommand = "echo-server"

// echoed is a document about as large as Strata's answers in the comparison.
type echoed struct {
	ID       string         `json:"id,omitempty"`
	AppName  string         `json:"app_name"`
	UserID   string         `json:"user_id"`
	Metadata map[string]any `json:"metadata"`
	Filler   string         `json:"filler,omitempty"`
}

// echo serves until its standard input closes. It prints its address.
func echo(out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	document := echoed{ID: "x", AppName: "helpdesk", UserID: "user_bob", Metadata: map[string]any{"a": 1}, Filler: strings.Repeat("x", 300)}
	routes := mux.NewRouter()
	routes.HandleFunc("/things", func(w http.ResponseWriter, r *http.Request) {
		var d echoed
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.ID, d.Filler = "x", document.Filler
		respond(w, http.StatusCreated, d)
	}).Methods(http.MethodPost)
	routes.HandleFunc("/things/{id}", func(w http.ResponseWriter, r *http.Request) {
		d := document
		d.ID = mux.Vars(r)["id"]
		respond(w, http.StatusOK, d)
	}).Methods(http.MethodGet)
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		os.Exit(0)
	}()
	return http.Serve(listener, routes)
}

func respond(w http.ResponseWriter, status int, d echoed) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(d) // the client is gone: nobody is left to tell
}

// startEcho runs the bare server and returns its address.
func startEcho() (address string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self, echoCommand)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close() // it ends with its input
		_ = cmd.Wait() // its exit status says nothing
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("the echo server: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}
