package writeapi

import (
	"context"
	"net/http"
	"time"

	"strata/commands"
	"strata/domain/privacy"
	"strata/internal/httpx"
	"strata/internal/view"
)

type eraseSubject struct {
	Body struct {
		Subject string `json:"subject" required:"true" minLength:"1" maxLength:"512" doc:"Whose data: the id that sessions, memories, chats and model calls name, or a user of the organization." example:"user_bob"`
		Reason  string `json:"reason" maxLength:"2000" doc:"Kept as proof, readable for ever: do not describe the person." example:"Request of 12 March, ticket 4711"`
	}
}

// eraseWithin is how long the answer waits for the erasure to be complete.
const eraseWithin = 3 * time.Second

// privacy registers the erasure of people's data.
func (a *API) privacy() {
	op := httpx.Op{ID: "eraseSubject", Method: http.MethodPost, Path: "/privacy/erasures", Mount: httpx.API, Tag: "Privacy",
		Summary: "Erase a person's data",
		Description: "Destroys the key that the person's data is sealed under, for good: from then on nobody can read it, in the log, in backups or anywhere else. " +
			"Every copy in read models, snapshots and analytics is removed too. Answers 200 when all of that is done and 202 while copies are still being removed; " +
			"what was begun is carried out, also after a restart. That something was there remains visible: ids, times, types and counts.",
		Permission: "privacy:erase", Status: http.StatusAccepted, AlsoStatus: []int{http.StatusOK}}
	httpx.Register(a.r, op, func(ctx context.Context, in *eraseSubject) (httpx.Reply[view.Erasure], error) {
		var none httpx.Reply[view.Erasure]
		req := request(ctx, op.Permission, "")
		req.Route = op.ID
		out, err := a.Erasures.Erase(ctx, req, commands.Erasure{Subject: in.Body.Subject, Reason: in.Body.Reason})
		if err != nil {
			return none, err
		}
		reply := httpx.Reply[view.Erasure]{Body: view.ErasureOf(&out.View), Revision: &out.Revision, Position: out.Position}
		wait, cancel := context.WithTimeout(ctx, eraseWithin)
		defer cancel()
		if err := a.Erasures.Wait(wait, out.ID); err != nil && ctx.Err() != nil {
			return none, err
		}
		now, err := a.Erasures.Show(ctx, req.Principal, out.ID)
		if err != nil {
			return none, err
		}
		reply.Body, reply.Revision = view.ErasureOf(&now), nil
		if now.Status() == privacy.Completed {
			reply.Status = http.StatusOK
		}
		return reply, nil
	})
}
