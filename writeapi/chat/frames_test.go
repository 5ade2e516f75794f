package chat

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/view"
)

// Frames as FastGPT's clients read them; a fault of ours tells nothing of itself.
func TestFrames(t *testing.T) {
	empty := ""
	for want, f := range map[string]Frame{
		`{"type":"token","content":""}`: {Type: "token", Content: &empty},
		`{"type":"end","runId":"run_1","chatId":"chat_1","messageId":"msg_1","tokenUsage":{"prompt":1,"completion":2,"total":3}}`: endFrame(&view.ChatTurn{
			RunID: "run_1", ChatID: "chat_1", MessageID: "msg_1", TokenUsage: view.TokenUsage{Prompt: 1, Completion: 2, Total: 3}}),
		`{"type":"error","error":{"code":"INTERNAL_ERROR","message":"internal error"}}`: errorFrame(errors.New("secret: 42")),
		`{"type":"error","error":{"code":"QUOTA_EXCEEDED","message":"the budget is spent"}}`: errorFrame(
			domain.Errorf(domain.CodeQuotaExceeded, "the budget is spent").Because(errors.New("secret: 42"))),
	} {
		if got, err := json.Marshal(f); err != nil || string(got) != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
	}
}

// Headers leave with the first frame, not before; comments keep only a stream
// alive that has begun.
func TestEventsBeginWithTheFirstFrame(t *testing.T) {
	rec := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	e := newEvents(rec)
	if err := e.comment(); err != nil || rec.Body.Len() > 0 || e.begun() {
		t.Fatalf("a comment came first: %q %v", rec.Body, err)
	}
	if err := errors.Join(e.Start("run_1", "chat_1"), e.comment(), e.Token("a\nb")); err != nil {
		t.Fatal(err)
	}
	want := `data: {"type":"start","runId":"run_1","chatId":"chat_1"}` + "\n\n: keep-alive\n\n" + `data: {"type":"token","content":"a\nb"}` + "\n\n"
	if rec.Body.String() != want || rec.Code != http.StatusOK || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/event-stream") || !e.begun() {
		t.Errorf("%d %q", rec.Code, rec.Body)
	}
	rec.err = errors.New("the connection is gone")
	if err := e.Token("more"); !errors.Is(err, rec.err) {
		t.Errorf("a client that is gone: %v", err)
	}
}

// deadlines is a recorder with the write deadlines of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	err error
}

func (d *deadlines) SetWriteDeadline(time.Time) error { return d.err }
