package adminapi

import (
	"context"
	"net/http"
	"strconv"

	"strata/commands"
	"strata/domain"
	facts "strata/domain/projection"
	"strata/internal/httpx"
	"strata/projections"
	"strata/streams"
	"strata/streams/logbus"
)

type listParked struct {
	projectionName
	httpx.ListParams
}

type parkedAt struct {
	projectionName
	Position uint64 `path:"position" minimum:"1"`
}

type retryParked struct {
	projectionName
	Body struct {
		Stream string `json:"stream" doc:"Of one stream only; all when absent." example:"session-ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	}
}

type discardParked struct {
	projectionName
	Body struct {
		Position uint64 `json:"position" doc:"One event." example:"1042"`
		Stream   string `json:"stream" doc:"Or everything that is parked of a stream."`
		Reason   string `json:"reason" required:"true" minLength:"1" maxLength:"2000" doc:"Why; it is recorded with who." example:"written by a bug, repaired by hand"`
	}
}

// retried is what came of a retry.
type retried struct {
	Applied int      `json:"applied" doc:"Events that succeeded." example:"3"`
	Parked  int      `json:"parked" doc:"Events that are parked still." example:"0"`
	Failed  []parked `json:"failed" doc:"The first event of each stream that failed again, with the reason."`
}

// discarded is what came of a discard.
type discarded struct {
	Discarded int `json:"discarded" doc:"Events that are left out from now on." example:"1"`
	Parked    int `json:"parked" doc:"Events that are parked still." example:"0"`
}

func (a *API) parked() {
	listing := a.op("listParkedEvents", http.MethodGet, "/{name}/parked", "List parked events", "inspect")
	listing.Description = "In the order of the log. An event that cannot be taken holds up later events of its stream, and nothing else."
	listing.Paging, listing.Filters = httpx.Cursor, []string{"stream"}
	httpx.Register(a.r, listing, a.listParked)

	httpx.Register(a.r, a.op("inspectParkedEvent", http.MethodGet, "/{name}/parked/{position}", "Inspect a parked event", "inspect"), a.inspect)

	retry := a.op("retryParkedEvents", http.MethodPost, "/{name}/parked/retry", "Try parked events again", "retry")
	retry.Description = "In order, each stream up to the first event that still fails. It answers 200 in both cases; `failed` tells."
	httpx.Register(a.r, retry, a.retry)

	discard := a.op("discardParkedEvents", http.MethodPost, "/{name}/parked/discard", "Leave parked events out for good", "discard")
	discard.Description = "The decision is an event of the log (`projection.event_discarded.v1`) and holds for every later rebuild. What waited behind is tried at once."
	httpx.Register(a.r, discard, a.discard)
}

// parkedOf lists what a projection has parked.
func (a *API) parkedOf(ctx context.Context, name string, stream domain.StreamID, after domain.Position, limit int) ([]parked, error) {
	p, err := a.find(ctx, name)
	if err != nil {
		return nil, err
	}
	out := []parked{}
	if p.Kind == "model" {
		all, err := a.Models.ParkedOf(ctx, name, projections.ParkedQuery{Stream: stream, After: after, Limit: limit})
		for _, p := range all {
			out = append(out, showParked(p))
		}
		return out, err
	}
	all, err := a.Reactors.ParkedOf(ctx, name, logbus.ParkedQuery{Stream: stream, After: after, Limit: limit})
	for _, p := range all {
		out = append(out, showSetAside(p))
	}
	return out, err
}

func showParked(p projections.Parked) parked {
	return parked{Position: uint64(p.Position), Stream: string(p.Stream), Type: p.Type, Error: p.Error, At: p.At, Waiting: p.Error == ""}
}

func showSetAside(p logbus.Parked) parked {
	return parked{Position: uint64(p.Position), Stream: string(p.Stream), Type: p.Type, Error: p.Error, At: p.At, Waiting: p.Error == ""}
}

func (a *API) listParked(ctx context.Context, in *listParked) (httpx.Reply[httpx.List[parked]], error) {
	var none httpx.Reply[httpx.List[parked]]
	var after uint64
	if in.Cursor != "" {
		var err error
		if after, err = strconv.ParseUint(in.Cursor, 10, 63); err != nil {
			var f domain.Faults
			f.Add(true, "cursor", "is not one of this list")
			return none, f.Err()
		}
	}
	all, err := a.parkedOf(ctx, in.Name, domain.StreamID(in.Filters["stream"]), domain.Position(after), in.Offset+in.Limit+1)
	if err != nil {
		return none, err
	}
	all = all[min(in.Offset, len(all)):]
	out := httpx.List[parked]{Items: all[:min(in.Limit, len(all))]}
	if n := len(out.Items); n < len(all) && n > 0 {
		out.HasMore, out.Next = true, strconv.FormatUint(out.Items[n-1].Position, 10)
	}
	return httpx.Respond(out)
}

func (a *API) inspect(ctx context.Context, in *parkedAt) (httpx.Reply[inspected], error) {
	var none httpx.Reply[inspected]
	found, err := a.parkedOf(ctx, in.Name, "", domain.Position(in.Position-1), 1)
	if err != nil {
		return none, err
	}
	if len(found) == 0 || found[0].Position != in.Position {
		return none, domain.NotFound("parked event", strconv.FormatUint(in.Position, 10))
	}
	out := inspected{parked: found[0], Gone: true, Revision: int64(domain.NoRevision)}
	for r, err := range a.Store.ReadAll(ctx, streams.ReadAll{From: domain.Position(in.Position), Limit: 1}) {
		if err != nil {
			return none, err
		}
		if uint64(r.Position) == in.Position {
			a.fill(&out, r)
		}
	}
	return httpx.Respond(out)
}

// fill adds what the log holds of an event: decoded if that can be, else as it is.
func (a *API) fill(out *inspected, r streams.Recorded) {
	out.Gone, out.ID, out.Revision, out.RecordedAt = false, r.ID.String(), int64(r.Revision), at(r.At)
	e, err := a.Codec.Decode(r)
	if err == nil {
		shown, viewErr := a.View(&e)
		if viewErr == nil {
			out.Data, out.Metadata = shown.Data, r.Meta
			return
		}
		err = viewErr
	}
	out.DecodeError, out.Raw = err.Error(), r.Data
}

func (a *API) retry(ctx context.Context, in *retryParked) (httpx.Reply[retried], error) {
	var none httpx.Reply[retried]
	p, err := a.find(ctx, in.Name)
	if err != nil {
		return none, err
	}
	out := retried{Failed: []parked{}}
	stream := domain.StreamID(in.Body.Stream)
	if p.Kind == "model" {
		done, err := a.Models.Retry(ctx, in.Name, stream)
		if err != nil {
			return none, err
		}
		out.Applied = done.Applied
		for _, f := range done.Failed {
			out.Failed = append(out.Failed, showParked(f))
		}
	} else {
		done, err := a.Reactors.Retry(ctx, in.Name, stream)
		if err != nil {
			return none, err
		}
		out.Applied = done.Handled
		for _, f := range done.Failed {
			out.Failed = append(out.Failed, showSetAside(f))
		}
	}
	if p, err = a.find(ctx, in.Name); err != nil {
		return none, err
	}
	out.Parked = p.Parked
	return httpx.Respond(out)
}

// discardAtOnce is how many decisions are appended together.
const discardAtOnce = 500

func (a *API) discard(ctx context.Context, in *discardParked) (httpx.Reply[discarded], error) {
	var none httpx.Reply[discarded]
	b := in.Body
	var f domain.Faults
	f.Add((b.Position == 0) == (b.Stream == ""), "position", "or stream is required, and not both")
	if err := f.Err(); err != nil {
		return none, err
	}
	var all []parked
	var err error
	if b.Stream != "" {
		all, err = a.parkedOf(ctx, in.Name, domain.StreamID(b.Stream), 0, 0)
	} else if all, err = a.parkedOf(ctx, in.Name, "", domain.Position(b.Position-1), 1); len(all) > 0 && all[0].Position != b.Position {
		all = nil
	}
	if err != nil {
		return none, err
	}
	if len(all) == 0 {
		return none, domain.NotFound("parked event", b.Stream+strconv.FormatUint(b.Position, 10))
	}
	last, err := a.decide(ctx, in.Name, all, b.Reason)
	if err != nil {
		return none, err
	}
	out := discarded{Discarded: len(all)}
	p, err := a.find(ctx, in.Name)
	if err != nil {
		return none, err
	}
	out.Parked = p.Parked
	return httpx.Reply[discarded]{Body: out, Position: last}, nil
}

// decide records that events are left out, and waits until that is done.
func (a *API) decide(ctx context.Context, name string, all []parked, reason string) (last domain.Position, err error) {
	r := httpx.From(ctx)
	// Strata's own stream, of no tenant; who decided is recorded all the same.
	who := domain.System("", "")
	who.Actor, who.UserID, who.KeyID = r.Principal.Actor, r.Principal.UserID, r.Principal.KeyID
	for len(all) > 0 {
		some := all[:min(len(all), discardAtOnce)]
		all = all[len(some):]
		cmd := facts.Discard{Projection: name, Reason: reason}
		for _, p := range some {
			cmd.Events = append(cmd.Events, facts.Left{Position: domain.Position(p.Position), Stream: domain.StreamID(p.Stream), Type: p.Type})
		}
		req := commands.Request{Principal: who, ID: name, Create: true, RequestID: r.ID, CorrelationID: r.CorrelationID}
		done, err := commands.Run[facts.State, struct{}](ctx, a.Handler, facts.Aggregate, req, cmd, nil)
		if err != nil {
			return last, err
		}
		last = max(last, done.Position)
	}
	if err := a.Models.Obeyed(ctx, last); err != nil {
		return last, err
	}
	return last, a.Reactors.Obeyed(ctx, last)
}
