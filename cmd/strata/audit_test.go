package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata/internal/sqlite"
	"strata/projections/audit"
	"strata/projections/events"
)

// download gets a file.
func (i *installation) download(t *testing.T, path string) []byte {
	t.Helper()
	req, err := http.NewRequest("GET", i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment") {
		t.Fatalf("%s: %d %v %v %.300s", path, res.StatusCode, res.Header, err, body)
	}
	return body
}

type verified struct {
	Valid         bool
	Checked       int
	FirstBrokenID string
	Reason        string
	Head          string
	PublicKey     string
}

func (i *installation) verifyAudit(t *testing.T, query string, header ...string) verified {
	t.Helper()
	var v verified
	r := call(t, i, "GET", "/api/v1/audit/verify"+query, nil, header...).must(t, http.StatusOK)
	if err := json.Unmarshal(r.Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type auditLine struct {
	ID, Action, ActorType, ResourceType, ResourceID, PrevHash, Hash string
	Changes                                                         map[string]struct{ Op string }
}

func (i *installation) auditLogs(t *testing.T, query string, header ...string) (out []auditLine) {
	t.Helper()
	if err := json.Unmarshal(call(t, i, "GET", "/api/v1/audit/logs"+query, nil, header...).must(t, http.StatusOK).Data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAuditTrail(t *testing.T) {
	i := start(t)
	app := call(t, i, "POST", "/api/v1/apps", object{"name": "=cmd()", "type": "chat"}).must(t, http.StatusCreated).field(t, "id")
	call(t, i, "PUT", "/api/v1/apps/"+app, object{"name": "b"}).must(t, http.StatusOK)
	i.addSession(t, testKey)
	call(t, i, "POST", "/api/v1/budgets", object{"name": "o", "scopeType": "organization", "limitUsd": 1, "period": "total"}).must(t, http.StatusCreated)
	i.caughtUp(t)

	logs := i.auditLogs(t, "?sortOrder=asc")
	if len(logs) < 3 || logs[0].PrevHash != "" || logs[1].PrevHash != logs[0].Hash || logs[2].PrevHash != logs[1].Hash {
		t.Fatalf("the first entries are not chained: %+v", logs)
	}
	updates := i.auditLogs(t, "?action=app.updated&resourceType=app&resourceId="+app)
	if len(updates) != 1 || updates[0].ActorType != "api_key" || len(i.auditLogs(t, "?action=app.*&outcome=success")) != 2 ||
		len(i.auditLogs(t, "?outcome=denied")) != 0 || len(i.auditLogs(t, "?actorId=user_none")) != 0 {
		t.Errorf("filtered: %+v", updates)
	}
	var one auditLine
	if err := json.Unmarshal(call(t, i, "GET", "/api/v1/audit/logs/"+updates[0].ID, nil).must(t, http.StatusOK).Data, &one); err != nil || one.Changes["/name"].Op != "replace" {
		t.Errorf("the update changed %+v, %v", one, err)
	}
	call(t, i, "GET", "/api/v1/audit/logs?outcome=nonsense", nil).must(t, http.StatusBadRequest)
	call(t, i, "GET", "/api/v1/audit/logs/evt_none", nil).must(t, http.StatusNotFound)
	stats := string(call(t, i, "GET", "/api/v1/audit/stats", nil).must(t, http.StatusOK).Data)
	if !strings.Contains(stats, `"app.updated":1`) || !strings.Contains(stats, `"success":`) {
		t.Error(stats)
	}

	other := []string{"Authorization", "Bearer " + i.workspaceKey(t, "Other")}
	call(t, i, "GET", "/api/v1/audit/logs/"+one.ID, nil, other...).must(t, http.StatusNotFound)
	i.caughtUp(t)
	if all := i.auditLogs(t, "?limit=100", other...); len(all) > 1 {
		t.Errorf("another workspace sees %+v", all)
	}
	if all := i.auditLogs(t, "?scope=organization&action=budget.created", other...); len(all) != 1 {
		t.Errorf("of the organization it sees %+v", all)
	}
	viewer := []string{"Authorization", "Bearer " + call(t, i, "POST", "/api/v1/user/api-keys", object{"name": "v", "scopes": []string{"audit:list"}}).must(t, http.StatusCreated).field(t, "key")}
	i.auditLogs(t, "", viewer...)
	for _, path := range []string{"/verify", "/export", "/logs/" + one.ID, "/logs?scope=organization"} {
		call(t, i, "GET", "/api/v1/audit"+path, nil, viewer...).must(t, http.StatusForbidden)
	}
}

func TestAuditVerification(t *testing.T) {
	i := start(t)
	for range 3 {
		i.addSession(t, testKey)
	}
	i.caughtUp(t)
	for _, query := range []string{"", "?scope=organization", "?startDate=2020-01-01T00:00:00Z&endDate=2100-01-01T00:00:00Z"} {
		if v := i.verifyAudit(t, query); !v.Valid || v.Checked < 2 || len(v.Head) != 64 || v.PublicKey == "" {
			t.Errorf("%s: %+v", query, v)
		}
	}
	second := i.auditLogs(t, "?sortOrder=asc")[1]
	files, err := filepath.Glob(filepath.Join(i.app.cfg.Data.ModelsDir(), events.Name+"-*.db"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	db, err := sqlite.Open(t.Context(), files[0], sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(t.Context(), "UPDATE events SET actor = 'somebody' WHERE id = ?", second.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if v := i.verifyAudit(t, ""); v.Valid || v.FirstBrokenID != second.ID || v.Reason != "altered" || v.Checked != 1 {
		t.Errorf("after tampering: %+v", v)
	}
}

func TestAuditExport(t *testing.T) {
	i := start(t)
	for range 3 {
		i.addSession(t, testKey)
	}
	i.caughtUp(t)
	v := i.verifyAudit(t, "")
	key, err := audit.ParseKey(v.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, format := range []string{"csv", "jsonl", "json"} {
		made := call(t, i, "POST", "/api/v1/audit/export", object{"format": format, "filters": object{}}).must(t, http.StatusOK)
		file := i.download(t, made.field(t, "downloadUrl"))
		proof, err := audit.Check(bytes.NewReader(file), key)
		if err != nil || !proof.Contiguous || proof.Count != v.Checked || proof.Last.String() != v.Head || made.field(t, "rowCount") != fmt.Sprint(v.Checked) {
			t.Errorf("%s: %+v, %v", format, proof, err)
		}
		path := filepath.Join(dir, "trail."+format)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), []string{"audit", "verify", path, "--key", v.PublicKey}, &out); err != nil || !strings.Contains(out.String(), "signed with the given key") {
			t.Errorf("%s: %v %s", format, err, &out)
		}
		if err := os.WriteFile(path, bytes.Replace(file, []byte("key_"), []byte("kez_"), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), []string{"audit", "verify", path}, &out); err == nil {
			t.Errorf("%s: a changed file passes", format)
		}
	}
	some := i.download(t, "/api/v1/audit/export?action=session.created")
	if proof, err := audit.Check(bytes.NewReader(some), key); err != nil || proof.Contiguous || proof.Count != 3 || proof.Entries != v.Checked {
		t.Errorf("a selection: %+v, %v", proof, err)
	}
	for _, args := range [][]string{{"audit"}, {"audit", "verify"}, {"audit", "verify", "--key"}, {"audit", "verify", filepath.Join(dir, "none")}, {"audit", "verify", "x", "--key", "short"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%v passes", args)
		}
	}
	call(t, i, "POST", "/api/v1/audit/export", object{"format": "xml"}).must(t, http.StatusBadRequest)
}
