package conversations

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/conversation"
	"strata/projections/fold"
	"strata/projections/query"
)

// Conversation is a chat as it stands, without its messages.
type Conversation struct {
	ID           string
	AppID        string
	Model        string
	UserID       string
	SessionUID   string
	Title        string
	MessageCount int64 // that there ever were
	Replaced     int64 // of those, that are not part of it any more
	Settings     conversation.Settings
	TokenUsage   conversation.TokenUsage
	Cost         domain.Money
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Revision     domain.Revision
}

// Status of a message: an answer's own, a question's that of its turn.
type Status string

// The statuses.
const (
	Open   Status = "open"   // asked and not answered yet
	Done   Status = "done"   // answered
	Failed Status = "failed" // the turn failed; an answer of it is partial
	Erased Status = "erased" // content erased, only the place is left
)

// Message is a message of a chat.
type Message struct {
	ID       string
	RunID    string
	Sequence int64
	Role     conversation.Role
	conversation.Speaker
	ToolCalls    []domain.Doc
	Content      string
	Status       Status
	FinishReason string // of answers
	ErrorCode    string // of failed turns
	Error        string
	Model        string // that answered
	TokenUsage   conversation.TokenUsage
	Cost         domain.Money
	Feedback     conversation.Rating // "" for none
	At           time.Time
}

// Feedback is what somebody thought of an answer.
type Feedback struct {
	ID        string
	MessageID string
	Rating    conversation.Rating
	Comment   string
	At        time.Time
	By        string
}

// OpenTurn is a turn that waits for its answer.
type OpenTurn struct {
	Organization, Workspace string
	ConversationID          string
	RunID                   string
	AskedAt                 time.Time
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace  string // the caller's; required
	AppID      string
	UserID     string
	SessionUID string
	Search     string // in titles and messages
	Name       string // the title is exactly this
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db: db} }

const columns = `id, app_id, model, user_id, session_uid, title, message_count, replaced, settings, prompt_tokens, completion_tokens, total_tokens, cost,
	created_at, updated_at, revision`

func (c *Conversation) into() []any {
	return []any{&c.ID, &c.AppID, &c.Model, &c.UserID, &c.SessionUID, &c.Title, &c.MessageCount, &c.Replaced, asJSON{&c.Settings}, &c.TokenUsage.Prompt, &c.TokenUsage.Completion,
		&c.TokenUsage.Total, &c.Cost, fold.At{Into: &c.CreatedAt}, fold.At{Into: &c.UpdatedAt}, &c.Revision}
}

// asJSON scans a text column of JSON; "" leaves what it is read into as it is.
type asJSON struct{ into any }

// Scan implements sql.Scanner.
func (j asJSON) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("JSON in a column of type %T", value)
	}
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), j.into)
}

func scan(r query.Row) (Conversation, error) {
	var c Conversation
	err := r.Scan(c.into()...)
	return c, err
}

var sorts = query.Sorts{"updated_at": "updated_at", "created_at": "created_at", "title": "title", "message_count": "message_count"}

// SortFields are the fields a list can be sorted by; the default is the first.
var SortFields = []string{"updated_at", "created_at", "title", "message_count"}

// maxMatches bounds what a search for a common word reads: the latest messages.
const maxMatches = 5000

// List reads a page of a workspace's chats. Faults of the page are
// VALIDATION_ERRORs.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Conversation], error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("app_id", f.AppID).EqIf("user_id", f.UserID).
		EqIf("session_uid", f.SessionUID).EqIf("title", f.Name)
	if words := query.MatchWords(f.Search); words != "" {
		where.And(`(instr(lower(title), ?) > 0 OR id IN (SELECT conversation FROM messages WHERE rowid IN (
			SELECT rowid FROM messages_search WHERE messages_search MATCH ? ORDER BY rowid DESC LIMIT ?)))`,
			strings.ToLower(strings.TrimSpace(f.Search)), "scope : "+scopeOf(f.Workspace)+" AND content : ("+words+")", maxMatches)
	}
	list := query.List{Columns: columns, From: "conversations", Where: where, ID: "id", Sorts: sorts, Default: "updated_at"}
	result, err := query.Run(ctx, q.db, list, p, scan)
	if err != nil && strings.Contains(err.Error(), "no such table: messages_search") {
		return result, domain.Errorf(domain.CodeUnavailable, "the search index is still being built").Because(err)
	}
	return result, err
}

// Get reads one chat; NOT_FOUND when there is none in the workspace.
func (q *Queries) Get(ctx context.Context, workspace, id string) (Conversation, error) {
	c, err := scan(q.db.QueryRow(ctx, "SELECT "+columns+" FROM conversations WHERE id = ? AND workspace = ?", id, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return c, domain.NotFound(conversation.Aggregate.Noun, id)
	}
	if err != nil {
		return c, fmt.Errorf("chat %s: %w", id, err)
	}
	return c, nil
}

const messageColumns = `id, run_id, sequence, role, name, tool_call_id, tool_calls, content, status, finish_reason, error_code, error, model, prompt_tokens,
	completion_tokens, total_tokens, cost, feedback, at`

func scanMessage(r query.Row) (Message, error) {
	var m Message
	err := r.Scan(&m.ID, &m.RunID, &m.Sequence, &m.Role, &m.Name, &m.ToolCallID, asJSON{&m.ToolCalls}, &m.Content, &m.Status, &m.FinishReason, &m.ErrorCode, &m.Error, &m.Model,
		&m.TokenUsage.Prompt, &m.TokenUsage.Completion, &m.TokenUsage.Total, &m.Cost, &m.Feedback, fold.At{Into: &m.At})
	return m, err
}

// Messages reads a page of a chat's messages in their order (or, with
// Page.Desc, the latest first). NOT_FOUND when there is no such chat in the
// workspace.
func (q *Queries) Messages(ctx context.Context, workspace, id string, p query.Page) (query.Result[Message], error) {
	if _, err := q.Get(ctx, workspace, id); err != nil {
		return query.Result[Message]{}, err
	}
	return q.messages(ctx, id, p)
}

func (q *Queries) messages(ctx context.Context, id string, p query.Page) (query.Result[Message], error) {
	list := query.List{Columns: messageColumns, From: "messages", Where: new(query.Where).Eq("conversation", id), ID: "id",
		Sorts: query.Sorts{"sequence": "sequence"}, Default: "sequence"}
	return query.Run(ctx, q.db, list, p, scanMessage)
}

// Latest reads the latest messages of a chat that the caller has been shown
// already (by List or Get), at most n, oldest first.
func (q *Queries) Latest(ctx context.Context, id string, n int) ([]Message, error) {
	r, err := q.messages(ctx, id, query.Page{Limit: n, Desc: true})
	slices.Reverse(r.Items)
	return r.Items, err
}

// Before reads the n messages before one, or the latest when before is "",
// oldest first, of a chat that the caller has been shown already, and whether
// there are more before them. A message that is not there is a VALIDATION_ERROR.
func (q *Queries) Before(ctx context.Context, id, before string, n int) ([]Message, bool, error) {
	r, err := q.messages(ctx, id, query.Page{Limit: n, After: before, Desc: true})
	slices.Reverse(r.Items)
	return r.Items, r.HasMore, err
}

// Feedback reads what people thought of a chat's answers, oldest first.
// NOT_FOUND when there is no such chat in the workspace.
func (q *Queries) Feedback(ctx context.Context, workspace, id string) ([]Feedback, error) {
	if _, err := q.Get(ctx, workspace, id); err != nil {
		return nil, err
	}
	rows, err := q.db.Query(ctx, "SELECT id, message_id, rating, comment, at, by FROM feedback WHERE conversation = ? ORDER BY at, message_id", id)
	if err != nil {
		return nil, fmt.Errorf("feedback on chat %s: %w", id, err)
	}
	defer rows.Close()
	var out []Feedback
	for rows.Next() {
		var f Feedback
		if err := rows.Scan(&f.ID, &f.MessageID, &f.Rating, &f.Comment, fold.At{Into: &f.At}, &f.By); err != nil {
			return nil, fmt.Errorf("feedback on chat %s: %w", id, err)
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// OpenTurns lists turns of all tenants that were asked before a time and still
// are open, the oldest first: what a crash has left behind.
func (q *Queries) OpenTurns(ctx context.Context, before time.Time, limit int) ([]OpenTurn, error) {
	rows, err := q.db.Query(ctx, `SELECT c.organization, c.workspace, m.conversation, m.run_id, m.at
		FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.status = 'open' AND m.at < ? ORDER BY m.at LIMIT ?`,
		fold.Micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("open turns: %w", err)
	}
	defer rows.Close()
	var out []OpenTurn
	for rows.Next() {
		var t OpenTurn
		if err := rows.Scan(&t.Organization, &t.Workspace, &t.ConversationID, &t.RunID, fold.At{Into: &t.AskedAt}); err != nil {
			return nil, fmt.Errorf("open turns: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
