//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"testing"

	"strata/test/kit"
)

// Wherever a server is killed while somebody accepts an invitation, the invitation is
// neither lost nor good for two: the same person tries again and has what it promises,
// and nobody can use the token after that.
func TestInvitationsSurviveKills(t *testing.T) {
	server := kit.Start(t, kit.Options{Binary: failpoints(t)})
	c := server.Client()
	ada := "" // her key
	for n, p := range []struct {
		point, by string
		again     int    // what a second try is answered with
		key       string // idempotency key of both
	}{
		{"invitation.accepted", "a new person", http.StatusCreated, ""},
		{"invitation.keyed", "a new person", http.StatusCreated, ""},
		{"invitation.accepted", "Ada", http.StatusOK, ""},
		{"invitation.granted", "Ada", http.StatusConflict, ""}, // all is done, only the answer was lost
		{"invitation.granted", "Ada", http.StatusOK, "k1"},
		{"invitation.accepted", "a new person", http.StatusCreated, "k2"},
		{"invitation.keyed", "a new person", http.StatusCreated, "k3"},
		{"invitation.granted", "a new person", http.StatusCreated, "k4"},
	} {
		t.Run(p.point+" by "+p.by+" "+p.key, func(t *testing.T) {
			s := &scene{T: t, server: server, c: c, point: p.point}
			space := c.Create(t, "/v1/spaces", object{"name": fmt.Sprintf("Space %d", n), "description": "For a test."}).Str("id")
			email, path, who := fmt.Sprintf("person%d@example.com", n), "/v1/invitations/accept", server.ClientFor("")
			if p.by == "Ada" {
				email, path, who = "person1@example.com", "/v1/users/me/accept-invite", server.ClientFor(ada)
			}
			invited := c.Post(t, "/v1/spaces/"+space+"/invite", object{"emails": []string{email}, "roles": []string{"benchmarks:list"}})
			token := object{"token": invited.Str("invitations.0.token")}

			s.restart("STRATA_FAILPOINT=" + p.point)
			repeated := []string{}
			if p.key != "" {
				repeated = []string{"Idempotency-Key", p.key}
			}
			if a, err := who.Call(t.Context(), http.MethodPost, path, token, repeated...); err == nil {
				t.Fatalf("it was answered with %d %s", a.Status, a.Short())
			}
			s.ended()
			s.start()
			who.HTTP.CloseIdleConnections()

			done := who.Do(t, p.again, http.MethodPost, path, token, repeated...)
			me := who
			if p.by != "Ada" {
				ada = done.Str("key")
				me = server.ClientFor(ada)
			}
			wanted := 1
			if p.by == "Ada" {
				wanted = n // she was in one space before the third case
			}
			kit.Eventually(t, within, "what the invitation promises is granted, once", func() error {
				return kit.Differ("spaces", len(me.Get(t, "/v1/users/me").Strings("spaces", "id")), wanted)
			})
			if p.key != "" {
				once := who.Do(t, p.again, http.MethodPost, path, token, repeated...)
				if once.Short() != done.Short() {
					t.Errorf("two answers to one request: %s and %s", done.Short(), once.Short())
				}
			}
			for _, headers := range [][]string{nil, nil, {"Idempotency-Key", "another"}} {
				a, err := who.Call(t.Context(), http.MethodPost, path, token, headers...)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status != http.StatusConflict && a.Status != http.StatusForbidden {
					t.Errorf("the token is taken again: %d %s", a.Status, a.Short())
				}
			}
		})
	}
}
