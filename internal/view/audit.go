package view

import (
	"encoding/json"
	"time"
)

// AuditLog is an entry of the audit trail.
type AuditLog struct {
	ID             string    `json:"id" example:"evt_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Timestamp      time.Time `json:"timestamp"`
	ActorID        string    `json:"actor_id" doc:"Who did it." example:"key_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ActorType      string    `json:"actor_type" enum:"user,api_key,agent,system" example:"api_key"`
	Action         string    `json:"action" doc:"What was done." example:"app.updated"`
	Type           string    `json:"type" doc:"The event, with the version of its form as recorded." example:"app.updated.v1"`
	ResourceType   string    `json:"resource_type" example:"app"`
	ResourceID     string    `json:"resource_id" example:"app_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Stream         string    `json:"stream" example:"app-app_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Revision       int64     `json:"revision" doc:"Of the resource." example:"1"`
	Position       uint64    `json:"position" doc:"In the log." example:"1042"`
	Outcome        string    `json:"outcome" enum:"success,denied,error" doc:"What is in the log has happened: success. Refused and failed requests change nothing and leave no entry." example:"success"`
	RequestID      string    `json:"request_id" example:"req_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	CorrelationID  string    `json:"correlation_id" example:"req_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	OrganizationID string    `json:"organization_id" example:"org_default"`
	WorkspaceID    string    `json:"workspace_id" doc:"Empty for what concerns the whole organization." example:"ws_default"`
	ContentHash    string    `json:"content_hash" doc:"SHA-256 of what the log recorded, in its stored form."`
	PrevHash       string    `json:"prev_hash" doc:"Hash of the entry before it in its chain; empty for the first."`
	Hash           string    `json:"hash" doc:"SHA-256 of this entry and, through the previous hash, of all before it."`

	Changes map[string]AuditChange `json:"changes,omitempty" doc:"What it changed, by JSON pointer; when one entry is asked for."`
}

// AuditChange is one change that an entry tells of.
type AuditChange struct {
	Op     string          `json:"op" enum:"add,remove,replace" example:"replace"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// AuditStats counts entries of the audit trail.
type AuditStats struct {
	Total     int            `json:"total" example:"42"`
	ByAction  map[string]int `json:"by_action"`
	ByActor   map[string]int `json:"by_actor" doc:"The most active, at most 1,000."`
	ByOutcome map[string]int `json:"by_outcome"`
}

// AuditVerification is the result of checking a chain.
type AuditVerification struct {
	Valid               bool   `json:"valid" example:"true"`
	Chain               string `json:"chain" doc:"The workspace or organization whose entries were checked." example:"ws_default"`
	Checked             int    `json:"checked" doc:"How many entries were found to be right." example:"42"`
	FirstBrokenID       string `json:"first_broken_id,omitempty" doc:"The first entry that is not as it was written."`
	FirstBrokenPosition uint64 `json:"first_broken_position,omitempty" doc:"Its place in the log."`
	Reason              string `json:"reason,omitempty" enum:"altered,missing,unknown,moved,end" doc:"altered: not what the log recorded. missing: in the log and not in the trail. unknown: in the trail and never in the log. moved: does not follow the entry before it. end: the chain does not end where it says."`
	Detail              string `json:"detail,omitempty" doc:"The reason in a sentence."`
	Head                string `json:"head" doc:"Hash of the last entry checked. Keep it elsewhere: it proves the past later."`
	Position            uint64 `json:"position" doc:"The check covers the log up to here." example:"1042"`
	Removed             int    `json:"removed" doc:"Entries whose events were removed from the log by its own rules (deleted and truncated streams)." example:"0"`
	PublicKey           string `json:"public_key" doc:"Ed25519 key, in base64, that exports are signed with."`
}

// AuditExport is a file of entries that can be downloaded.
type AuditExport struct {
	ID          string            `json:"id" example:"exp_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Report      string            `json:"report" enum:"audit" example:"audit"`
	Format      string            `json:"format" enum:"csv,json,jsonl" example:"jsonl"`
	StartDate   *time.Time        `json:"start_date,omitempty"`
	EndDate     time.Time         `json:"end_date" doc:"The moment of the request unless it was given."`
	Filters     map[string]string `json:"filters,omitempty"`
	Status      string            `json:"status" enum:"queued,running,completed,failed" doc:"The file is made while it is downloaded, so it is always completed." example:"completed"`
	DownloadURL string            `json:"download_url" doc:"Takes the same credentials." example:"/api/v1/audit/export?format=jsonl"`
	RowCount    int               `json:"row_count" example:"42"`
	CreatedAt   time.Time         `json:"created_at"`
}
