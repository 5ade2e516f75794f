package readapi

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/audit"
	"strata/projections/events"
)

type exportAudit struct {
	auditScope
	Body struct {
		Format    string      `json:"format" required:"true" enum:"csv,json,jsonl" doc:"json and jsonl are the same: an object a line." example:"jsonl"`
		StartDate time.Time   `json:"start_date" doc:"Not before."`
		EndDate   time.Time   `json:"end_date" doc:"Before; now when absent."`
		Filters   auditFilter `json:"filters"`
	}
}

type downloadAudit struct {
	auditRange
	auditFilter
	Format string `query:"format" enum:"csv,json,jsonl" default:"jsonl" doc:"json and jsonl are the same: an object a line."`
}

func (a *API) auditExports() {
	httpx.Register(a.r, httpx.Op{ID: "exportAudit", Method: http.MethodPost, Path: "/audit/export", Mount: httpx.API, Tag: "Audit",
		Summary: "Export audit logs", Permission: "audit:export", Reads: events.Name,
		Description: "Answers where the file can be downloaded. It ends with a signed proof, so `strata audit verify FILE` can check it anywhere."},
		a.exportAudit)
	httpx.Stream(a.r, httpx.Op{ID: "downloadAudit", Method: http.MethodGet, Path: "/audit/export", Mount: httpx.API, Tag: "Audit",
		Summary: "Download audit logs", Permission: "audit:export", Reads: events.Name, Streaming: true, ResultMedia: audit.JSONL.Media(), AlsoMedia: []string{audit.CSV.Media()},
		Description: "A file of entries in the order of their chain, each with its hash and the previous one, as CSV or as an object a line. " +
			"The last line is a signed proof of what the file holds; a file without it was cut off."},
		a.downloadAudit)
}

func (a *API) auditPublicKey() string {
	return audit.KeyText(a.AuditKey.Public().(ed25519.PublicKey))
}

func (a *API) exportAudit(ctx context.Context, in *exportAudit) (httpx.Reply[view.AuditExport], error) {
	var none httpx.Reply[view.AuditExport]
	chain, err := in.chain(ctx)
	if err != nil {
		return none, err
	}
	b, now := &in.Body, a.Now().UTC().Truncate(time.Microsecond)
	out := view.AuditExport{ID: domain.NewID("exp"), Report: "audit", Format: b.Format, EndDate: b.EndDate, Filters: b.Filters.given(),
		Status: "completed", CreatedAt: now}
	if out.EndDate.IsZero() {
		out.EndDate = now
	}
	link := url.Values{"format": {b.Format}, "scope": {in.Scope}, "endDate": {domain.FormatTime(out.EndDate)}}
	if !b.StartDate.IsZero() {
		out.StartDate = &b.StartDate
		link.Set("startDate", domain.FormatTime(b.StartDate))
	}
	for _, name := range slices.Sorted(maps.Keys(out.Filters)) {
		link.Set(name, out.Filters[name])
	}
	out.DownloadURL = httpx.API.Prefix + "/audit/export?" + link.Encode()
	end, err := a.Events.EndOf(ctx, chain)
	if err != nil {
		return none, err
	}
	if q, some := b.Filters.query(chain, b.StartDate, out.EndDate); some {
		out.RowCount, err = a.Events.Count(ctx, end, q)
	}
	return httpx.Reply[view.AuditExport]{Body: out}, err
}

func (a *API) downloadAudit(w http.ResponseWriter, req *http.Request, in *downloadAudit) (*httpx.Reply[struct{}], error) {
	ctx := req.Context()
	chain, err := in.chain(ctx)
	if err != nil {
		return nil, err
	}
	end, err := a.Events.EndOf(ctx, chain)
	if err != nil {
		return nil, err
	}
	format := audit.JSONL
	if in.Format == string(audit.CSV) {
		format = audit.CSV
	}
	now := a.Now().UTC().Truncate(time.Microsecond)
	scope := audit.Scope{Chain: chain, Filters: in.given(), Exported: now, Head: end.Head, Entries: end.Entries}
	if !in.StartDate.IsZero() {
		scope.From = &in.StartDate
	}
	if !in.EndDate.IsZero() {
		scope.To = &in.EndDate
	}
	h := w.Header()
	h.Set("Content-Type", format.Media())
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="audit-%s.%s"`, now.Format("20060102T150405Z"), format))
	file, err := audit.NewWriter(w, format, scope, a.AuditKey)
	if err != nil {
		return nil, err
	}
	if q, some := in.query(chain, in.StartDate, in.EndDate); some {
		if err := a.Events.Each(ctx, end, q, func(e *events.Event) error { return file.Write(&e.Entry) }); err != nil {
			return nil, err
		}
	}
	return nil, file.Close()
}
