package readapi

import (
	"context"
	"net/http"

	"strata/domain"
	"strata/domain/connector"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/connectors"
	"strata/projections/history"
)

// connectors serves connectors on both mounts: on /v1 they are "connectors", on
// /api/v1 the instances of a type of connector.
func (a *API) connectors() {
	a.connectorsOn(httpx.V1, "Connector", "/connectors", "id")
	a.connectorsOn(httpx.API, "ConnectorInstance", "/connectors/{connector_id}/instances", "instance_id")
}

func (a *API) connectorsOn(mount *httpx.Mount, noun, path, param string) {
	op := func(id, below, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path + below, Mount: mount, Tag: "Connectors", Summary: summary,
			Permission: "connectors:" + verb, Reads: connectors.Name}
	}
	one := "/{" + param + "}"
	listing := op("list"+noun+"s", "", "List connectors", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, connectors.SortFields, true
	if mount == httpx.V1 {
		listing.Paging = httpx.After
	}
	listing.Filters = []string{"status=pending|scanning|active|error"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Connector]], error) {
		var none httpx.Reply[httpx.List[view.Connector]]
		if err := knownConnector(ctx, mount); err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		found, err := a.Connectors.List(ctx, connectors.Filter{Workspace: ws, Status: in.Filters["status"], Search: in.Search}, page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(func(c connectors.Connector) view.Connector { return view.ConnectorOf(&c.State) }))
	})
	serve(a, a.connector(op("get"+noun, one, "Get connector", "get"), param))
	a.connectorScans(op, noun, one, param)
}

// knownConnector answers NOT_FOUND for a type of connector that there is not.
func knownConnector(ctx context.Context, mount *httpx.Mount) error {
	if typ := httpx.PathValue(ctx, "connector_id"); mount == httpx.API && typ != string(connector.AWSS3) {
		return domain.NotFound("connector type", typ)
	}
	return nil
}

// connector is one connector, now and in the past.
func (a *API) connector(op httpx.Op, param string) resource[connector.State, view.Connector] {
	return resource[connector.State, view.Connector]{
		op: op, agg: connector.Aggregate, param: param,
		now: func(ctx context.Context) (httpx.Reply[view.Connector], error) {
			if err := knownConnector(ctx, op.Mount); err != nil {
				return httpx.Reply[view.Connector]{}, err
			}
			_, ws := tenant(ctx)
			c, err := a.Connectors.Get(ctx, ws, httpx.PathValue(ctx, param))
			return httpx.Reply[view.Connector]{Body: view.ConnectorOf(&c.State), Revision: &c.Revision}, err
		},
		mine: func(ctx context.Context, m *history.Moment[connector.State]) bool {
			_, ws := tenant(ctx)
			return m.First.Workspace == ws && knownConnector(ctx, op.Mount) == nil
		},
		alive: func(m *history.Moment[connector.State]) bool { return m.State.Exists && !m.State.Deleted },
		show: func(m *history.Moment[connector.State]) (view.Connector, error) {
			return view.ConnectorOf(m.State), nil
		},
	}
}

func (a *API) connectorScans(op func(id, below, summary, verb string) httpx.Op, noun, one, param string) {
	scans := op("list"+noun+"Scans", one+"/scans", "List scans of a connector", "get")
	scans.Description, scans.Paging = "The latest first, without their files.", httpx.Cursor
	if scans.Mount == httpx.V1 {
		scans.Paging = httpx.After
	}
	httpx.Register(a.r, scans, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.ConnectorScan]], error) {
		var none httpx.Reply[httpx.List[view.ConnectorScan]]
		if err := knownConnector(ctx, scans.Mount); err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		found, err := a.Connectors.Scans(ctx, ws, httpx.PathValue(ctx, param), page(in.ListParams))
		if err != nil {
			return none, err
		}
		return list(found, always(showScan))
	})
	scan := op("get"+noun+"Scan", one+"/scans/{scan_id}", "Get a scan of a connector", "get")
	scan.Description = "Which columns each file has, of which type, and what is in them."
	httpx.Register(a.r, scan, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.ConnectorScan], error) {
		var none httpx.Reply[view.ConnectorScan]
		if err := knownConnector(ctx, scan.Mount); err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		s, err := a.Connectors.Scan(ctx, ws, httpx.PathValue(ctx, param), httpx.PathValue(ctx, "scan_id"))
		if err != nil {
			return none, err
		}
		return httpx.Respond(showScan(s))
	})
}

func showScan(s connectors.Scan) view.ConnectorScan {
	out := view.ConnectorScan{ID: s.ID, ConnectorID: s.Connector, Status: "running", FileCount: s.Count, FailedCount: s.Failed,
		RequestedAt: s.RequestedAt, RequestedBy: s.RequestedBy}
	if !s.CompletedAt.IsZero() {
		out.Status, out.CompletedAt = "completed", &s.CompletedAt
	}
	for _, f := range s.Files {
		file := view.ScannedFile{File: f.Name, Status: "pending"}
		switch {
		case f.Found != nil:
			file = view.ScannedFileOf(f.Found)
		case !f.Open:
			file.Status, file.Error = "failed", f.Error
		}
		out.Files = append(out.Files, file)
	}
	return out
}
