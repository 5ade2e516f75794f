package esdb_test

// This file takes the place of the one in the official client's tests that
// starts containers: it starts `strata eventstore` instead. What the other files
// use of it has the same names here.

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/goombaio/namegenerator"
)

var NAME_GENERATOR = namegenerator.NewNameGenerator(0)

// Container is a server.
type Container struct {
	Endpoint string
	process  *exec.Cmd
}

// Close stops the server. What it says when it was not stopped in order is the
// test's failure.
func (c *Container) Close() {
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		panic(err)
	}
	if err := c.process.Wait(); err != nil {
		panic(err)
	}
}

func GetEnvOrDefault(key, defaultValue string) string {
	if value, exists := os.LookupEnv(key); exists {
		return value
	}
	return defaultValue
}

// IsESDBVersion20 tells whether tests of what is newer than version 20 are skipped.
func IsESDBVersion20() bool { return false }

func secure() bool { return os.Getenv("EVENTSTORE_INSECURE") == "false" }

func startServer(t *testing.T) *Container {
	dir, err := os.MkdirTemp("", "strata-interop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	args := []string{"eventstore", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data")}
	if secure() {
		args = append(args, strings.Fields(os.Getenv("STRATA_SECURE_FLAGS"))...)
	}
	cmd := exec.Command(os.Getenv("STRATA_BIN"), args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, rest, found := strings.Cut(lines.Text(), "esdb://"); found {
			address, _, _ := strings.Cut(rest, "?")
			go func() {
				for lines.Scan() {
				}
			}()
			return &Container{Endpoint: address, process: cmd}
		}
	}
	_ = cmd.Process.Kill()
	t.Fatalf("the server did not start: %v", cmd.Wait())
	return nil
}

func GetClient(t *testing.T, container *Container) *esdb.Client {
	if secure() {
		return CreateClient(fmt.Sprintf("esdb://admin:changeit@%s?tlsverifycert=false&tls=true", container.Endpoint), t)
	}
	return CreateClient(fmt.Sprintf("esdb://%s?tls=false", container.Endpoint), t)
}

func CreateEmptyDatabase(t *testing.T) (*Container, *esdb.Client) {
	container := startServer(t)
	return container, GetClient(t, container)
}

// CreatePopulatedDatabase has the one stream of the official data set that tests
// only count: 6,000 events.
func CreatePopulatedDatabase(t *testing.T) (*Container, *esdb.Client) {
	container, client := CreateEmptyDatabase(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	events := make([]esdb.EventData, 1000)
	for written := 0; written < 6000; written += len(events) {
		for i := range events {
			events[i] = esdb.EventData{EventID: uuid.New(), EventType: "eventType-0", ContentType: esdb.ContentTypeBinary, Data: []byte("data")}
		}
		if _, err := client.AppendToStream(ctx, "dataset20M-0", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, events...); err != nil {
			t.Fatal(err)
		}
	}
	return container, client
}

func CreateClient(connStr string, t *testing.T) *esdb.Client {
	config, err := esdb.ParseConnectionString(connStr)
	if err != nil {
		t.Fatalf("connection string: %v", err)
	}
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	return client
}

// WaitForAdminToBeAvailable has nothing to wait for: a server that listens is ready.
func WaitForAdminToBeAvailable(*testing.T, *esdb.Client) {}
