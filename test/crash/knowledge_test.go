//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// A document is processed to its end by whoever comes after a kill between any two
// steps, and no piece of it is recorded twice.
func TestKnowledgeIsProcessedAfterAKill(t *testing.T) {
	server := kit.Start(t, kit.Options{Binary: failpoints(t)})
	s := &scene{T: t, server: server, c: server.Client()}
	base := s.c.Create(t, "/v1/knowledge-bases", object{"name": "Long", "chunk_size": 16, "chunk_overlap": 0}).Str("id")
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "Sentence number %d says something about the thing number %d.\n", i, i)
	}
	for i, point := range []string{"step.performed:1", "step.performed:2", "step.ended:2", "step.performed:4"} {
		s.point = point
		s.restart("STRATA_FAILPOINT=" + point)
		name := fmt.Sprint("text ", i)
		// The work may reach the point before the answer has left: then there is none.
		a, err := s.c.Call(t.Context(), "POST", "/v1/knowledge-bases/"+base+"/texts", object{"name": name, "content": text.String()})
		if err == nil && a.Status != http.StatusAccepted {
			t.Fatalf("%d %s", a.Status, a.Short())
		}
		s.ended()
		s.start()
		document := ""
		kit.Eventually(t, within, "the document is listed", func() error {
			all := s.c.Get(t, "/v1/knowledge-bases/"+base+"/documents")
			for n, id := range all.Strings("data", "id") {
				if all.Str(fmt.Sprintf("data.%d.name", n)) == name {
					document = "/v1/knowledge-documents/" + id
					return nil
				}
			}
			return fmt.Errorf("it is not: %s", all.Short())
		})
		var done *kit.Answer
		kit.Eventually(t, time.Minute, "the document is processed", func() error {
			if done = s.c.Get(t, document); done.Str("status") != "completed" {
				return fmt.Errorf("it is %s", done.Short())
			}
			return nil
		})
		n := done.Int("chunk_count")
		done.Want("embedded_count", n)
		s.c.Get(t, document+"/chunks?limit=100").Want("count", min(n, 100))
	}
}
