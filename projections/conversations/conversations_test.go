package conversations_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
	"strata/projections"
	"strata/projections/conversations"
	"strata/projections/history"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*conversations.Queries
	second int
}

func newWorld(t testing.TB, keys streams.Keys) *world {
	t.Helper()
	codec, err := streams.NewCodec(conversation.FactTypes(), nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, conversations.Model{})
	db, err := w.runner.Reader(conversations.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = conversations.NewQueries(db)
	return w
}

func (w *world) given(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, conversation.Aggregate.Stream(id), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, conversations.Name)
}

func ask(run string, seq int64, content string) conversation.TurnAsked {
	return conversation.TurnAsked{RunID: "run_" + run, MessageID: "msg_q" + run, Sequence: seq, Content: content, Subject: "user_bob"}
}

func answer(run string, seq int64, content string) conversation.TurnAnswered {
	return conversation.TurnAnswered{RunID: "run_" + run, MessageID: "msg_a" + run, Sequence: seq, Content: content, Model: "strata/echo",
		FinishReason: "stop", TokenUsage: conversation.TokenUsage{Prompt: 3, Completion: 2, Total: 5}, Cost: 7, Subject: "user_bob"}
}

func TestListAndGet(t *testing.T) {
	w := newWorld(t, nil)
	w.given("ws_1", "chat_1", conversation.Started{AppID: "app_1", UserID: "user_bob", Title: "On Tea", SessionUID: "ses_1"})
	w.given("ws_1", "chat_2", conversation.Started{AppID: "app_2"}, ask("2", 1, "What of green coffee?"))
	w.given("ws_1", "chat_3", conversation.Started{}, conversation.Deleted{})
	w.given("ws_2", "chat_4", conversation.Started{AppID: "app_1", Title: "On tea too"}, ask("4", 1, "green tea"))
	w.given("ws_1", "chat_1", ask("1", 1, "Is it hot?"), answer("1", 2, "It is."), conversation.Renamed{Title: "On hot tea"})
	w.caughtUp()
	for name, c := range map[string]struct {
		filter conversations.Filter
		page   query.Page
		want   string
	}{
		"latest first": {conversations.Filter{}, query.Page{Desc: true}, "[chat_1 chat_2]"},
		"oldest first": {conversations.Filter{}, query.Page{Sort: "created_at"}, "[chat_1 chat_2]"},
		"after":        {conversations.Filter{}, query.Page{Desc: true, After: "chat_1"}, "[chat_2]"},
		"offset":       {conversations.Filter{}, query.Page{Desc: true, Offset: 1}, "[chat_2]"},
		"app":          {conversations.Filter{AppID: "app_2"}, query.Page{}, "[chat_2]"},
		"user":         {conversations.Filter{UserID: "user_bob"}, query.Page{}, "[chat_1]"},
		"session":      {conversations.Filter{SessionUID: "ses_1"}, query.Page{}, "[chat_1]"},
		"name":         {conversations.Filter{Name: "On hot tea"}, query.Page{}, "[chat_1]"},
		"in a title":   {conversations.Filter{Search: "HOT tea"}, query.Page{}, "[chat_1]"},
		"in a message": {conversations.Filter{Search: "coff"}, query.Page{}, "[chat_2]"},
		"old title":    {conversations.Filter{Search: "on tea"}, query.Page{}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			c.filter.Workspace = "ws_1"
			got, err := w.List(t.Context(), c.filter, c.page)
			ids := []string{}
			for _, item := range got.Items {
				ids = append(ids, item.ID)
			}
			if err != nil || fmt.Sprint(ids) != c.want {
				t.Errorf("got %v, %v, want %s", ids, err, c.want)
			}
		})
	}
	c, err := w.Get(t.Context(), "ws_1", "chat_1")
	if err != nil || c.Title != "On hot tea" || c.MessageCount != 2 || c.TokenUsage.Total != 5 || c.Cost != 7 || c.Revision != 3 || !c.UpdatedAt.After(c.CreatedAt) {
		t.Errorf("chat %+v, %v", c, err)
	}
	for _, miss := range [][2]string{{"ws_2", "chat_1"}, {"ws_1", "chat_3"}, {"ws_1", "nope"}} {
		if _, err := w.Get(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", miss, err)
		}
		if _, err := w.Messages(t.Context(), miss[0], miss[1], query.Page{}); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("messages of %v: %v", miss, err)
		}
		if _, err := w.Feedback(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("feedback on %v: %v", miss, err)
		}
	}
	if _, err := w.List(t.Context(), conversations.Filter{Workspace: "ws_1"}, query.Page{Sort: "odd"}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("odd sort: %v", err)
	}
}

func TestMessagesAndFeedback(t *testing.T) {
	w := newWorld(t, nil)
	w.given("ws_1", "chat_1", conversation.Started{}, ask("1", 1, "one?"), answer("1", 2, "one!"), ask("2", 3, "two?"),
		conversation.TurnFailed{RunID: "run_2", Code: "TIMEOUT", Message: "too slow", PartialContent: "tw", MessageID: "msg_a2", Sequence: 4},
		ask("3", 5, "three?"), conversation.TurnFailed{RunID: "run_3", Code: "TIMEOUT", Message: "too slow"}, ask("4", 6, "four?"))
	w.caughtUp()
	w.given("ws_1", "chat_1", conversation.FeedbackGiven{ID: "fb_1", MessageID: "msg_a1", Rating: conversation.Negative, Comment: "short"})
	w.given("ws_1", "chat_1", conversation.FeedbackGiven{ID: "fb_2", MessageID: "msg_a1", Rating: conversation.Positive})
	w.caughtUp()
	r, err := w.Messages(t.Context(), "ws_1", "chat_1", query.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, m := range r.Items {
		got += fmt.Sprintf("%d %s %s %s %s%s\n", m.Sequence, m.Role, m.Content, m.Status, m.ErrorCode, m.Feedback)
	}
	if want := "1 user one? done \n2 assistant one! done positive\n3 user two? failed TIMEOUT\n4 assistant tw failed TIMEOUT\n5 user three? failed TIMEOUT\n6 user four? open \n"; got != want {
		t.Errorf("messages\n%swant\n%s", got, want)
	}
	if m := r.Items[1]; m.TokenUsage.Total != 5 || m.Cost != 7 || m.FinishReason != "stop" || m.Model != "strata/echo" || m.RunID != "run_1" || m.At.IsZero() {
		t.Errorf("answer %+v", m)
	}
	latest, err := w.Latest(t.Context(), "chat_1", 2)
	if err != nil || len(latest) != 2 || latest[0].Sequence != 5 || latest[1].Sequence != 6 {
		t.Errorf("latest %+v, %v", latest, err)
	}
	after, err := w.Messages(t.Context(), "ws_1", "chat_1", query.Page{Limit: 1, After: "msg_a1"})
	if err != nil || !after.HasMore || after.Items[0].Sequence != 3 {
		t.Errorf("after the first answer %+v, %v", after, err)
	}
	feedback, err := w.Feedback(t.Context(), "ws_1", "chat_1")
	if err != nil || len(feedback) != 1 || feedback[0].ID != "fb_2" || feedback[0].Rating != conversation.Positive || feedback[0].Comment != "" || feedback[0].By != "user_1" {
		t.Errorf("feedback %+v, %v", feedback, err)
	}
}

func TestOpenTurns(t *testing.T) {
	w := newWorld(t, nil)
	w.given("ws_1", "chat_1", conversation.Started{}, ask("1", 1, "?"), ask("2", 2, "?"), answer("1", 3, "!"))
	w.given("ws_2", "chat_2", conversation.Started{}, ask("3", 1, "?"))
	w.given("ws_2", "chat_3", conversation.Started{}, ask("4", 1, "?"), conversation.Deleted{})
	w.caughtUp()
	all, err := w.OpenTurns(t.Context(), projectionstest.Meta("", 100).OccurredAt, 10)
	if err != nil || len(all) != 2 || all[0].RunID != "run_2" || all[1].RunID != "run_3" || all[1].Workspace != "ws_2" || all[1].Organization == "" {
		t.Errorf("open %+v, %v", all, err)
	}
	old, err := w.OpenTurns(t.Context(), projectionstest.Meta("", 2).OccurredAt, 10)
	if err != nil || len(old) != 1 || !old[0].AskedAt.Equal(projectionstest.Meta("", 1).OccurredAt) {
		t.Errorf("open %+v, %v", old, err)
	}
}

// The rows of any history equal the fold of the aggregate.
func TestRowsEqualTheFold(t *testing.T) {
	w, round := newWorld(t, nil), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // histories share the model, which is slow to start
		id := fmt.Sprintf("chat_%d", round)
		log, s := domaintest.NewLog(), conversation.Aggregate.New(id)
		for range rapid.IntRange(1, 40).Draw(rt, "commands") {
			_ = domaintest.Do(log, conversation.Aggregate, id, s, anyCommand(rt)) // a refusal is a fine outcome
			log.Now = log.Now.Add(time.Second)
		}
		for _, e := range log.Events {
			w.log.Write(t, w.codec, e.Stream, e.Meta, e.Fact)
		}
		w.caughtUp()
		got, err := w.Get(t.Context(), domaintest.Workspace, id)
		if !s.Exists || s.Deleted {
			if domain.CodeOf(err) != domain.CodeNotFound {
				rt.Fatalf("it should not be there: %v", err)
			}
			return
		}
		want := conversations.Conversation{ID: s.ID, AppID: s.AppID, Model: s.Model, UserID: s.UserID, SessionUID: s.SessionUID, Title: s.Title,
			MessageCount: s.MessageCount, TokenUsage: s.TokenUsage, Cost: s.Cost, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
			Revision: log.Events[len(log.Events)-1].Revision}
		if err != nil || got != want {
			rt.Fatalf("row  %+v\nfold %+v\n%v", got, want, err)
		}
		messages, err := w.Latest(t.Context(), id, len(s.Messages))
		if err != nil || len(messages) != len(s.Messages) {
			rt.Fatalf("%d messages of %d, %v", len(messages), len(s.Messages), err)
		}
		for i, m := range messages {
			f := s.Messages[i]
			_, open := s.Turn(m.RunID)
			if m.ID != f.ID || m.Content != f.Content || m.Sequence != f.Sequence || (m.Status == conversations.Failed) != f.Failed ||
				(m.Status == conversations.Open) != open {
				rt.Fatalf("message %+v, folded %+v (open: %v)", m, f, open)
			}
		}
		past := conversations.PastAggregate(max(1, len(messages)))
		then := past.New(id)
		for _, e := range log.Events {
			past.Apply(then, e)
		}
		if a, b := fmt.Sprintf("%+v", then.Said), fmt.Sprintf("%+v", messages); a != b {
			rt.Fatalf("the past has\n%s, the rows\n%s", a, b)
		}
	})
}

func anyCommand(t *rapid.T) domain.Decider[conversation.State] {
	run := fmt.Sprintf("run_%d", rapid.IntRange(1, 8).Draw(t, "run"))
	content := rapid.SampledFrom([]string{"", "hello"}).Draw(t, "content")
	switch rapid.IntRange(0, 12).Draw(t, "command") {
	case 0:
		return conversation.Start{UserID: "user_bob"}
	case 1, 2, 3, 4, 5:
		return conversation.Ask{RunID: run, Content: content, Start: &conversation.Start{AppID: "app_1"}}
	case 6, 7, 8:
		return conversation.Answer{RunID: run, Content: content, TokenUsage: conversation.TokenUsage{Prompt: 1, Total: 2}, Cost: 3}
	case 9, 10:
		return conversation.FailTurn{RunID: run, Code: domain.CodeTimeout, PartialContent: content}
	case 11:
		return conversation.GiveFeedback{Rating: conversation.Positive}
	}
	if rapid.Bool().Draw(t, "delete") {
		return conversation.Delete{}
	}
	return conversation.Rename{Title: "title"}
}

func TestRebuild(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 60 {
		id, turn := fmt.Sprintf("chat_%d", i%7), i/7
		run := fmt.Sprintf("%d_%d", i%7, turn/2)
		switch {
		case turn == 0:
			w.given("ws_1", id, conversation.Started{AppID: "app_1"})
		case i == 59:
			w.given("ws_1", id, conversation.Deleted{})
		case turn%2 == 0:
			w.given("ws_1", id, answer(run, int64(turn), "an answer"), conversation.FeedbackGiven{ID: "fb", MessageID: "msg_a" + run, Rating: conversation.Positive})
		default:
			w.given("ws_1", id, ask(fmt.Sprintf("%d_%d", i%7, (turn+1)/2), int64(turn), "a question"))
		}
	}
	projectionstest.CheckRebuild(t, w.codec, conversations.Model{}, w.log)
}

// keys is a key store whose keys can be destroyed.
type keys struct{ gone atomic.Bool }

func (k *keys) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}
func (k *keys) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	if k.gone.Load() {
		return nil, streams.ErrErased
	}
	return sealed, nil
}

func TestErasure(t *testing.T) {
	k := &keys{}
	k.gone.Store(true)
	w := newWorld(t, k)
	w.given("ws_1", "chat_1", conversation.Started{UserID: "user_bob", Title: "secret", Subject: "user_bob"}, ask("1", 1, "secret?"), answer("1", 2, "secret!"),
		conversation.FeedbackGiven{MessageID: "msg_a1", Comment: "secret", Subject: "user_bob"})
	w.caughtUp()
	c, err := w.Get(t.Context(), "ws_1", "chat_1")
	if err != nil || c.Title != "" || c.UserID != "" || c.MessageCount != 2 {
		t.Errorf("chat %+v, %v", c, err)
	}
	messages, err := w.Latest(t.Context(), "chat_1", 10)
	if err != nil || len(messages) != 2 || messages[0].Role != conversation.User || messages[1].Role != conversation.Assistant {
		t.Fatalf("messages %+v, %v", messages, err)
	}
	past, err := history.At(t.Context(), history.NewReader(w.log, w.codec, time.Now),
		history.Subject[conversations.Past]{Aggregate: conversations.PastAggregate(10), Key: "chat_1"}, "at", history.Point{Revision: 3})
	if err != nil || past.State.Title != "" || fmt.Sprint(past.State.Said) != fmt.Sprint(messages) {
		t.Errorf("the past %+v, %v", past, err)
	}
	for _, m := range messages {
		if m.Status != conversations.Erased || m.Content != "" || m.ID == "" {
			t.Errorf("message %+v", m)
		}
	}
	if r, err := w.List(t.Context(), conversations.Filter{Workspace: "ws_1", Search: "secret"}, query.Page{}); err != nil || len(r.Items) > 0 {
		t.Errorf("found %+v, %v", r, err)
	}
}

// What is held already is taken out when the next fact turns out to be erased.
func TestErasureOfWhatIsHeld(t *testing.T) {
	k := &keys{}
	w := newWorld(t, k)
	w.given("ws_1", "chat_1", conversation.Started{Title: "secret", Subject: "user_bob"}, ask("1", 1, "secret?"), answer("1", 2, "secret!"), ask("2", 3, "secret?"),
		conversation.FeedbackGiven{MessageID: "msg_a1", Comment: "secret", Rating: conversation.Positive, Subject: "user_bob"})
	w.caughtUp()
	k.gone.Store(true)
	w.given("ws_1", "chat_1", conversation.Renamed{Title: "secret", Subject: "user_bob"})
	w.caughtUp()
	c, err := w.Get(t.Context(), "ws_1", "chat_1")
	if err != nil || c.MessageCount != 3 || c.Title != "" {
		t.Errorf("chat %+v, %v", c, err)
	}
	messages, err := w.Latest(t.Context(), "chat_1", 10)
	if err != nil || len(messages) != 3 {
		t.Fatalf("messages %+v, %v", messages, err)
	}
	for _, m := range messages {
		if m.Status != conversations.Erased || m.Content != "" {
			t.Errorf("message %+v", m)
		}
	}
	if f, err := w.Feedback(t.Context(), "ws_1", "chat_1"); err != nil || len(f) != 1 || f[0].Comment != "" {
		t.Errorf("feedback %+v, %v", f, err)
	}
	if r, err := w.List(t.Context(), conversations.Filter{Workspace: "ws_1", Search: "secret"}, query.Page{}); err != nil || len(r.Items) > 0 {
		t.Errorf("found %+v, %v", r, err)
	}
	if open, err := w.OpenTurns(t.Context(), time.Now(), 10); err != nil || len(open) > 0 {
		t.Errorf("open %+v, %v", open, err)
	}
}

func BenchmarkApply(b *testing.B) {
	w := newWorld(b, nil)
	n := 0
	for b.Loop() {
		id, turn := fmt.Sprintf("chat_%d", n/20), n%20
		run := fmt.Sprintf("%d", n)
		if turn == 0 {
			w.given("ws_1", id, conversation.Started{AppID: "app_1"})
		}
		w.given("ws_1", id, ask(run, int64(2*turn+1), "Is tea hot?"), answer(run, int64(2*turn+2), "It is."))
		n++
	}
	w.caughtUp()
	b.ReportMetric(float64(2*n)/b.Elapsed().Seconds(), "events/s")
}
