package turns

import (
	"encoding/json"
	"testing"

	"strata/domain/session"
)

func TestTurnsAreReadInAnyShape(t *testing.T) {
	for _, c := range []struct {
		author, content string
		want            Turn
		says            bool
	}{
		{"user", `{"text":"hi"}`, Turn{"user", "hi"}, true},
		{"bot", `{"text":"hello"}`, Turn{"assistant", "hello"}, true},
		{"bot", `{"role":"user","text":"hi"}`, Turn{"user", "hi"}, true},
		{"bot", `{"role":"model","parts":[{"text":"a"},{"text":"b"}]}`, Turn{"assistant", "ab"}, true},
		{"user", `{"role":"system","text":"obey"}`, Turn{"system", "obey"}, false},
		{"user", `{"image":"x"}`, Turn{"user", ""}, false},
		{"user", `{"text":7}`, Turn{}, false},
	} {
		got, says := turnOf(session.EventAdded{Author: c.author, Content: json.RawMessage(c.content)})
		if got != c.want || says != c.says {
			t.Errorf("%s %s: %+v %v", c.author, c.content, got, says)
		}
	}
}
