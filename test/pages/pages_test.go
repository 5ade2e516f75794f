package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const page = "# A page\n" +
	"```sh\nexport A=one B=two   # what the server printed\napi() { echo \"$1\"; }\n```\n" +
	"```sh\nmake run\n```\n" +
	"```sh\nid=$(api GET | jq -r .id)\napi PUT $id\n```\nIt answers\n```json\n{\"id\": \"x\"}\n```\n" +
	"```bash\n# needs a cluster\ncurl $B\n```\n## More\n```json\n{\"of\": \"nothing\"}\n```\n"

func TestRead(t *testing.T) {
	blocks, err := Read(page)
	if err != nil {
		t.Fatal(err)
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks: %+v", len(blocks), blocks)
	}
	if b := blocks[1]; b.Line != 10 || b.Answer != `{"id": "x"}` || !strings.HasSuffix(b.Shell, "PUT $id") {
		t.Errorf("the second is %+v", b)
	}
	if b := blocks[2]; b.Needs != "a cluster" || b.Answer != "" {
		t.Errorf("the third is %+v", b)
	}
	rest, names := known(blocks[0].Shell)
	if strings.Contains(rest, "export") || !strings.Contains(rest, "api()") || strings.Join(names, " ") != "A B" {
		t.Errorf("the reader knows %q, the rest is %q", names, rest)
	}
	if _, err := (Session{Env: map[string]string{"A": "1"}}).script("", blocks); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("nobody told what B is: %v", err)
	}
	if _, err := Read("```sh\ncurl x\n"); err == nil {
		t.Error("a block without an end is read")
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct{ shown, answered, fault string }{
		{`{"id":"…","n":1}`, `{"id":"a","n":2,"more":[]}`, ""},
		{`{"id":"…"}`, "{\"n\":1}\n{\"id\":\"a\"}", ""}, // the last answer counts
		{`{"data":[{"id":"…"}]}`, `{"data":[{"id":"a"},{"id":"b"}]}`, ""},
		{`{"a":{"b":1}}`, `{"a":{"c":1}}`, "the answer.a has no b, it has c"},
		{`{"n":1}`, `{"n":"1"}`, "the answer.n is a text, the page shows a number"},
		{`{"n":"x"}`, `{"n":null}`, "the answer.n is null, the page shows a text"},
		{`{"data":[{"id":"…"}]}`, `{"data":[]}`, "the answer.data is empty"},
		{`{"n":1}`, ``, "no JSON was answered"},
		{`{"n":`, `{}`, "what the page shows is no JSON"},
	} {
		err := Fits(c.shown, c.answered)
		if (c.fault == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s shown, %s answered: %v, not %q", c.shown, c.answered, err, c.fault)
		}
	}
}

// Every page that has examples is run: see test/e2e.
func TestPagesHaveExamples(t *testing.T) {
	for page, least := range map[string]int{"README.md": 4, "docs/flotorch.md": 10, "docs/inference-api.md": 25} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := Read(string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		if len(blocks) < least {
			t.Errorf("%s has %d examples", page, len(blocks))
		}
	}
}
