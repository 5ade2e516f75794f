//go:build e2e

package crash

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"strata/test/kit"
)

// chatting is a worker's chat of one round: a new one for each, so that all its
// messages can be listed at once.
type chatting struct {
	chat    string            // its id; "" before the first answer
	said    map[string]string // message → id of the answer
	pending string            // the message that was not answered
}

func (c *chatting) begin() { *c = chatting{said: map[string]string{}} }

// maxSaid keeps a chat within what one answer lists: 40 messages, two a turn,
// and a turn that a kill may have left open.
const maxSaid = 15

// chat sends the next message of the round's chat.
func (w *worker) chat(ctx context.Context, c *kit.Client, name string) error {
	if len(w.chatting.said) == maxSaid {
		return nil
	}
	w.calls = append(w.calls, call{correlation: name})
	return w.say(ctx, c, &w.calls[len(w.calls)-1])
}

// say sends a message, for the first time or again.
func (w *worker) say(ctx context.Context, c *kit.Client, x *call) error {
	w.chatting.pending = x.correlation
	body := object{"appId": w.app, "message": x.correlation}
	if w.chatting.chat != "" {
		body["chatId"] = w.chatting.chat
	}
	x.attempts++
	a, err := c.Call(ctx, "POST", "/api/v1/chat/completions", body, "Idempotency-Key", x.correlation, "X-Correlation-Id", x.correlation)
	if err != nil {
		return err
	}
	switch a.Status {
	case http.StatusOK:
		id, _ := a.Lookup("data.messageId")
		chat, _ := a.Lookup("data.chatId")
		w.chatting.chat = fmt.Sprint(chat)
		w.chatting.said[x.correlation] = fmt.Sprint(id)
		x.answered = true
	case http.StatusConflict: // it was asked, and never answered: that is on record
	default:
		return fmt.Errorf("%s: %d %s", a.Request, a.Status, a.Short())
	}
	w.chatting.pending = ""
	return nil
}

// repeatChat sends the message again that was not answered.
func (w *worker) repeatChat(t *testing.T, c *kit.Client) {
	t.Helper()
	if w.chatting.pending == "" {
		return
	}
	for i := len(w.calls) - 1; i >= 0; i-- {
		if x := &w.calls[i]; x.correlation == w.chatting.pending {
			if err := w.say(t.Context(), c, x); err != nil {
				t.Errorf("retry of a chat message: %v", err)
			}
			return
		}
	}
}

// checkChat compares the round's chat with what was answered.
func (l *load) checkChat(t *testing.T, w *worker, newest []string) {
	t.Helper()
	if w.chatting.chat == "" {
		return
	}
	a := l.client.Get(t, "/api/v1/chat/history/"+w.chatting.chat, newest...)
	asked, answers := map[string]int{}, map[string]bool{}
	roles := a.Strings("data.messages", "role")
	ids := a.Strings("data.messages", "id")
	for i, text := range a.Strings("data.messages", "content") {
		if roles[i] == "user" {
			asked[text]++
		} else {
			answers[ids[i]] = true
		}
	}
	for text, id := range w.chatting.said {
		if asked[text] != 1 || !answers[id] {
			t.Errorf("%s: the message %s is there %d times, its answer %s: %v", w.chatting.chat, text, asked[text], id, answers[id])
		}
	}
	for text, n := range asked {
		if n > 1 {
			t.Errorf("%s: the message %s is there %d times", w.chatting.chat, text, n)
		}
	}
}

// checkApp wants a worker's own app to be as its last change left it.
func (l *load) checkApp(t *testing.T, w *worker, newest []string) {
	t.Helper()
	for i := len(w.acks) - 1; i >= 0; i-- {
		if x := w.acks[i]; x.method == http.MethodPut {
			l.client.Get(t, "/api/v1/apps/"+w.app, newest...).Want("data.description", x.key)
			return
		}
	}
}
