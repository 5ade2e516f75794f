package personas

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"strata/commands"
	"strata/commands/personauploads"
	"strata/domain"
	"strata/domain/personaupload"
	"strata/internal/httpx"
)

type confirmInput struct {
	Token string `path:"upload_token"`
	Body  struct {
		ConflictResolution string `json:"conflict_resolution" required:"true" enum:"overwrite,create,skip" doc:"What becomes of personas whose name and birthdate are there already." example:"overwrite"`
	}
}

// Confirmed is an upload that was confirmed.
type Confirmed struct {
	UploadID          string `json:"upload_id" doc:"Names the upload in its events." example:"pup_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Status            string `json:"status" enum:"processing,completed" example:"completed"`
	TotalUploaded     int    `json:"total_uploaded" doc:"Personas created or updated so far." example:"120"`
	ConflictsResolved int    `json:"conflicts_resolved" doc:"Conflicts that were resolved so far." example:"3"`
	Message           string `json:"message" example:"117 personas were created, 3 updated and 0 left out"`
}

func (s *Service) confirm(ctx context.Context, in *confirmInput) (httpx.Reply[Confirmed], error) {
	var none httpx.Reply[Confirmed]
	r := httpx.From(ctx)
	resolution := personaupload.Resolution(in.Body.ConflictResolution)
	if resolution == personaupload.Overwrite && !r.Principal.Can("personas:update") {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission personas:update, which overwriting needs")
	}
	id, secret, ok := strings.Cut(in.Token, ".")
	if !ok || !domain.HasPrefix(id, personaupload.Aggregate.Prefix) {
		return none, errNoToken
	}
	out, err := commands.Run(ctx, s.Handler, personaupload.Aggregate, requestOf(r, id),
		personaupload.Confirm{Token: hashed(secret), Resolution: resolution},
		func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return none, errNoToken
	}
	if err != nil {
		return none, err
	}
	s.reached("upload.confirmed")
	httpx.Wrote(ctx, out.Position)
	state, end, err := s.await(ctx, r.Principal, out)
	if err != nil {
		return none, err
	}
	reply := httpx.Reply[Confirmed]{Position: max(out.Position, end), Body: shown(state)}
	if state.Status == personaupload.Processing {
		reply.Status = http.StatusAccepted
	}
	return reply, nil
}

// errNoToken answers for a token of nobody, and of another tenant.
var errNoToken = domain.Errorf(domain.CodeNotFound, "the upload token is not known")

// await waits for the rows to be applied, for a while.
func (s *Service) await(ctx context.Context, p domain.Principal, out commands.Outcome[personaupload.State]) (personaupload.State, domain.Position, error) {
	from := out.Position
	if out.Repeated { // it may have completed long ago
		head, err := s.Store.Head(ctx)
		if err != nil {
			return out.View, 0, err
		}
		now, err := commands.Load(ctx, s.Handler, personaupload.Aggregate, p, out.ID,
			func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
		if err != nil || now.Status != personaupload.Processing {
			return now, 0, err
		}
		from = head
	}
	patient, cancel := context.WithTimeout(ctx, confirmPatience)
	defer cancel()
	return personauploads.Follow(patient, s.Handler, s.Store, p, out.ID, from)
}

func shown(s personaupload.State) Confirmed {
	c := s.Counts
	out := Confirmed{UploadID: s.ID, Status: string(s.Status), TotalUploaded: c.Created + c.Updated, ConflictsResolved: c.Conflicts}
	if s.Status == personaupload.Processing {
		out.Message = fmt.Sprintf("%d of %d rows are applied; the rest follows", c.Rows(), s.Rows)
		return out
	}
	out.Message = fmt.Sprintf("%d personas were created, %d updated and %d left out", c.Created, c.Updated, c.Skipped)
	if c.Failed > 0 {
		out.Message += fmt.Sprintf("; %d were refused", c.Failed)
	}
	return out
}
