package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// rooms says what the packages below each folder may import of ours, beside
// themselves. Longer folders win. A folder that is not listed may import
// anything but what nobody imports (see private).
var rooms = []struct {
	folder string
	may    []string
	why    string
}{
	{"domain", nil, "pure decisions, which every room shares"},
	{"streams", []string{"domain"}, "the log's port knows events, not what is done with them"},
	{"streams/logbus", []string{"domain", "streams", "internal/sqlite"}, "keeps checkpoints of subscriptions"},
	{"commands", []string{"domain", "streams"}, "decides and appends; never reads a read model"},
	{"commands/trainer", []string{"commands", "domain", "streams", "internal/learn", "internal/tabular"}, "trains behind the requests; finds its work through a port"},
	{"gateway", []string{"domain", "streams", "internal/outbound"}, "talks to providers; whoever it needs is an interface of its own"},
	{"projections", []string{"domain", "streams", "internal/sqlite", "internal/clickhouse"}, "derived from the log alone"},
	{"writeapi", []string{"commands", "gateway", "domain", "streams", "internal/authn", "internal/cluster", "internal/connectors", "internal/documents", "internal/httpx", "internal/inbound", "internal/outbound", "internal/secrets", "internal/vault", "internal/view"},
		"turns requests into commands; never reads a read model"},
	{"writeapi/personas", []string{"commands", "gateway", "domain", "streams", "internal/documents", "internal/httpx"}, "reads files of personas, in addition"},
	{"readapi", []string{"projections", "domain", "streams", "internal/authn", "internal/clickhouse", "internal/httpx", "internal/view", "web"},
		"answers from read models; cannot change anything"},
	{"adminapi", []string{"commands", "projections", "streams", "domain", "internal/backup", "internal/httpx", "internal/view"},
		"looks after the installation itself"},
	{"web", nil, "files"},
	{"internal/authn", []string{"domain"}, "asks for keys through a port"},
	{"internal/addresses", nil, "reads addresses; it does not know what they may"},
	{"internal/backup", []string{"domain", "streams", "internal/sqlite"}, "copies files of an installation that may run"},
	{"internal/bucket", []string{"domain", "internal/outbound"}, "reads buckets; it does not know whose"},
	{"internal/clickhouse", []string{"domain"}, "an engine; it does not know what is stored"},
	{"internal/config", []string{"internal/addresses", "internal/outbound"}, "values"},
	{"internal/documents", []string{"domain"}, "reads files; it does not know what for"},
	{"internal/vault", []string{"commands", "domain"}, "puts values in the place of references to secrets, whoever uses them"},
	{"internal/connectors", []string{"commands", "domain", "internal/bucket", "internal/tabular", "internal/vault"}, "acts on connectors, whoever asks"},
	{"internal/edge", []string{"internal/addresses"}, "a proxy; it asks which node serves what through a port"},
	{"internal/eventstore", []string{"domain", "streams"}, "serves the log to other programs; it does not know what is in it"},
	{"internal/httpx", []string{"domain", "internal/addresses", "internal/ratelimit", "internal/telemetry"}, "transport, whatever is transported"},
	{"internal/learn", nil, "computes"},
	{"internal/outbound", []string{"internal/addresses"}, "connects; it does not know for what"},
	{"internal/inbound", []string{"commands", "domain"}, "takes reports in; it does not know of what"},
	{"internal/ratelimit", nil, "counts"},
	{"internal/secrets", nil, "seals texts"},
	{"internal/snapshots", []string{"commands", "domain", "streams", "internal/sqlite"}, "keeps folded states for the command side"},
	{"internal/sqlite", nil, "an engine; it does not know what is stored"},
	{"internal/subjectkeys", []string{"domain", "streams", "internal/sqlite"}, "keeps keys; it does not know what is sealed"},
	{"internal/tabular", nil, "reads tables, wherever they come from"},
	{"internal/telemetry", nil, "what every room may report to"},
	{"internal/view", []string{"domain"}, "what both sides of the API show"},
}

// private are packages, ours or others', that only some may import.
var private = []struct {
	pkg   string
	users []string
	why   string
}{
	{"strata/cmd", nil, "wiring is where everything ends"},
	{"strata/internal/clickhouse/engine", []string{"internal/clickhouse/chserver", "internal/clickhouse"}, "C++ runs in the child process only"},
	{"strata/internal/clickhouse/chserver", []string{"internal/clickhouse"}, "the server of the child process"},
	{"strata/internal/eventstore", []string{"cmd/strata", "test"},
		"its messages clash with those of a program that links EventStoreDB's newer client"},
	{"github.com/EventStore/EventStore-Client-Go", []string{"internal/eventstore", "streams/eventstoredb", "test"}, "one place serves the protocol, one speaks it"},
	{"google.golang.org/grpc", []string{"internal/eventstore", "streams/eventstoredb", "test"}, "as above"},
	{"github.com/ebitengine/purego", []string{"internal/clickhouse/engine"}, "calls into C are in one place"},
	{"github.com/ClickHouse/clickhouse-go", []string{"internal/clickhouse", "projections/analytics", "projections/leaderboards", "projections/vectors"}, "rows by the million only"},
	{"modernc.org/sqlite", []string{"internal/sqlite"}, "one place knows the driver"},
	{"github.com/segmentio/kafka-go", []string{"streams/kafka"}, "one place knows the driver"},
	{"github.com/ledongthuc/pdf", []string{"internal/documents"}, "it trusts files, and runs in a child process only"},
	{"github.com/danielgtaylor/huma", []string{"internal/httpx"}, "schemas come through the endpoint function"},
	{"github.com/gorilla/mux", []string{"internal/httpx", "test/bench"}, "routes are registered through the endpoint function"},
	{"gopkg.in/yaml.v3", []string{"internal/config"}, "settings are read in one place"},
}

// impure is what the domain may not touch of the standard library.
var impure = []string{"net", "os", "database", "io/fs", "syscall", "log", "unsafe", "runtime", "sync"}

// pureNet are parts of net that do no I/O.
var pureNet = []string{"net/mail", "net/netip", "net/url"}

type goPackage struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// folder is the package's place below the module.
func (p goPackage) folder() string { return strings.TrimPrefix(p.ImportPath, "strata/") }

// forTests tells whether a package is there for tests only.
func (p goPackage) forTests() bool {
	return strings.HasSuffix(p.ImportPath, "test") || within(p.folder(), "test")
}

// goList asks the go command once for all tests.
var goList = sync.OnceValues(func() (packages []goPackage, err error) {
	cmd := exec.Command("go", "list", "-tags=e2e", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", "strata/...")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &errs)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages = append(packages, p)
	}
})

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	packages, err := goList()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// within tells whether a folder is dir or below it.
func within(folder, dir string) bool { return folder == dir || strings.HasPrefix(folder, dir+"/") }

func withinAny(folder string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return within(folder, d) })
}

func TestRoomsImportWhatTheyMay(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, fault := range faultsOf(p.folder(), p.Imports) {
			t.Error(fault)
		}
	}
}

// faultsOf names the imports that a package in a folder must not have.
func faultsOf(folder string, imports []string) []string {
	var faults []string
	room := -1
	for i, r := range rooms {
		if within(folder, r.folder) && (room < 0 || len(r.folder) > len(rooms[room].folder)) {
			room = i
		}
	}
	for _, imp := range imports {
		ours, isOurs := strings.CutPrefix(imp, "strata/")
		if isOurs && room >= 0 {
			r := rooms[room]
			if !within(ours, r.folder) && !withinAny(ours, r.may) {
				faults = append(faults, fmt.Sprintf("%s imports %s; %s may import only %v of ours: %s", folder, imp, r.folder, r.may, r.why))
			}
		}
		for _, p := range private {
			if within(imp, p.pkg) && !withinAny(folder, p.users) && !within("strata/"+folder, p.pkg) {
				faults = append(faults, fmt.Sprintf("%s imports %s, which only %v may: %s", folder, imp, p.users, p.why))
			}
		}
		if within(folder, "domain") && !within(folder, "domain/domaintest") && withinAny(imp, impure) && !slices.Contains(pureNet, imp) {
			faults = append(faults, fmt.Sprintf("%s imports %s: the domain does no I/O and shares no memory", folder, imp))
		}
	}
	return faults
}

func TestSidesOfTheAPINeverMeet(t *testing.T) {
	meet := map[string]string{"writeapi": "strata/readapi", "readapi": "strata/writeapi"}
	for _, p := range listPackages(t) {
		for side, other := range meet {
			for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				if within(p.folder(), side) && within(imp, other) {
					t.Errorf("%s imports %s, at least in tests", p.ImportPath, imp)
				}
			}
		}
	}
}

// The rules themselves must be able to fail.
func TestRulesFindFaults(t *testing.T) {
	for _, c := range []struct {
		folder, imp string
		bad         bool
	}{
		{"domain/session", "strata/domain", false},
		{"domain/session", "strata/streams", true},
		{"domain/session", "os", true},
		{"domain/session", "net/http", true},
		{"domain/session", "net/url", false},
		{"domain/session", "database/sql", true},
		{"gateway/upstream", "strata/gateway/sse", false},
		{"gateway", "strata/internal/httpx", true},
		{"gateway", "strata/commands", true},
		{"projections/sessions", "strata/internal/sqlite", false},
		{"projections/sessions", "strata/commands", true},
		{"writeapi", "strata/readapi", true},
		{"writeapi", "strata/projections", true},
		{"readapi", "strata/commands", true},
		{"cmd/strata", "strata/commands", false},
		{"cmd/strata", "strata/internal/clickhouse/engine", true},
		{"internal/clickhouse/chserver", "strata/internal/clickhouse/engine", false},
		{"internal/httpx", "strata/commands", true},
		{"readapi", "modernc.org/sqlite", true},
		{"streams/embedded", "strata/domain", false},
	} {
		if got := len(faultsOf(c.folder, []string{c.imp})) > 0; got != c.bad {
			t.Errorf("%s importing %s: refused is %v", c.folder, c.imp, got)
		}
	}
}
