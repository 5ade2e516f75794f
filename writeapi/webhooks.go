package writeapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/inbound"
	"strata/internal/view"
)

// statusUpdate is the body of an inbound report.
type statusUpdate struct {
	ID        string     `json:"id" required:"true" doc:"What it is about." example:"con_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Event     string     `json:"event,omitempty" enum:"created,updated,deleted" example:"updated"`
	Name      string     `json:"name,omitempty" example:"Churn data"`
	Payload   domain.Doc `json:"payload,omitempty" doc:"More about it, an object; its member error says what is wrong."`
	Status    string     `json:"status,omitempty" doc:"One of the statuses of what it is about." example:"active"`
	Timestamp string     `json:"timestamp,omitempty" doc:"When it was so, RFC 3339; the time of the signature when absent. A report about an earlier moment than the latest known changes nothing." example:"2024-01-15T10:30:00Z"`
	Type      string     `json:"type,omitempty" doc:"Of a connector: aws-s3." example:"aws-s3"`
}

// maxReport bounds the body of a report, in bytes.
const maxReport = 1 << 20

// webhooks takes reports in. The handler is a raw one: what is signed is the body
// as it was sent.
func (a *API) webhooks() {
	a.r.Raw(httpx.Op{
		ID: "receiveStatusUpdate", Method: http.MethodPost, Path: "/webhooks", Mount: httpx.V1, Tag: "Webhooks", Summary: "Webhook to receive status updates",
		Description: "Takes in how things are that somebody else looks after, for all kinds of them. No credential is needed but a signature with the webhook secret of the space's cluster: " +
			"`X-Webhook-Timestamp` is the time in Unix seconds, at most five minutes from now, and `X-Webhook-Signature` is `sha256=` and the HMAC-SHA256 in hex of the timestamp, a point and the body. " +
			"A report with the `X-Webhook-Id` of an earlier one, or without any and with the same body, changes nothing.",
		Public: true, MaxBody: maxReport, Body: reflect.TypeFor[statusUpdate](), Result: reflect.TypeFor[view.DeletedID](), ResultExample: view.DeletedID{ID: "con_01jk2m3n4p5q6r7s8t9v0w1x2y"},
	}, http.HandlerFunc(a.receive))
}

func (a *API) receive(w http.ResponseWriter, r *http.Request) {
	u, at, err := a.report(w, r)
	if err != nil {
		httpx.WriteError(w, r, err)
		return
	}
	httpx.Wrote(r.Context(), at)
	if at > 0 {
		w.Header().Set(httpx.HeaderPosition, strconv.FormatUint(uint64(at), 10))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": u.ID}) // the sender is gone: nobody is left to tell
}

func (a *API) report(w http.ResponseWriter, r *http.Request) (u inbound.Update, at domain.Position, err error) {
	signed := inbound.Signed{Signature: r.Header.Get("X-Webhook-Signature"), Timestamp: r.Header.Get("X-Webhook-Timestamp"), ID: r.Header.Get("X-Webhook-Id")}
	signedAt, err := a.Inbound.When(signed)
	if err != nil {
		return u, 0, err
	}
	if signed.Body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxReport)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return u, 0, domain.Errorf(domain.CodePayloadTooLarge, "the body is larger than %d bytes", maxReport)
		}
		return u, 0, domain.Errorf(domain.CodeInvalidRequest, "the body cannot be read").Because(err)
	}
	if u, err = readReport(signed.Body, signedAt); err != nil {
		return u, 0, err
	}
	x := httpx.From(r.Context())
	at, err = a.Inbound.Receive(r.Context(), signed, u, commands.Request{RequestID: x.ID, CorrelationID: x.CorrelationID})
	return u, at, err
}

// readReport reads a body and names every fault of it.
func readReport(body []byte, signedAt time.Time) (inbound.Update, error) {
	var b statusUpdate
	var f domain.Faults
	if err := json.Unmarshal(body, &b); err != nil {
		t, ok := errors.AsType[*json.UnmarshalTypeError](err)
		if !ok || t.Field == "" {
			return inbound.Update{}, domain.Errorf(domain.CodeInvalidRequest, "the body must be a JSON object").Because(err)
		}
		f.Add(true, t.Field, "must be a %s, not a %s", t.Type.Kind(), t.Value)
		return inbound.Update{}, f.Err()
	}
	f.Add(b.ID == "", "id", "is required")
	f.Add(b.Event != "" && b.Event != "created" && b.Event != "updated" && b.Event != "deleted", "event", "must be one of created, updated, deleted")
	at := signedAt
	if b.Timestamp != "" {
		var err error
		at, err = time.Parse(time.RFC3339Nano, b.Timestamp)
		f.Add(err != nil, "timestamp", "must be an RFC 3339 time, such as 2024-01-15T10:30:00Z")
	}
	const most = 4096
	for field, text := range map[string]string{"id": b.ID, "name": b.Name, "status": b.Status, "type": b.Type} {
		f.Add(len(text) > most, field, "must be at most %d bytes long", most)
	}
	return inbound.Update{ID: b.ID, Event: b.Event, Name: b.Name, Status: b.Status, Type: b.Type, Payload: b.Payload, At: at.UTC()}, f.Err()
}
