package writeapi

import (
	"context"
	"net/http"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/internal/connectors"
	"strata/internal/httpx"
	"strata/internal/view"
)

// connectorModel is the read model that what refers to a secret is found in.
const connectorModel = "connectors"

// bucketCredentials are who reads a bucket. Each may refer to secrets.
type bucketCredentials struct {
	AccessKeyID     string `json:"access_key_id" doc:"Absent for a bucket that anybody may read." example:"AKIAIOSFODNN7EXAMPLE"`
	SecretAccessKey string `json:"secret_access_key" doc:"Kept sealed, never returned. {{secret.name}} refers to a secret, as in the other credentials." example:"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"`
	SessionToken    string `json:"session_token" doc:"Of temporary credentials. Kept sealed, never returned." example:""`
}

// bucketConfig is where a bucket is and who reads it, as the Inference API takes it.
type bucketConfig struct {
	view.ConnectorConfig
	bucketCredentials
}

type createConnector struct {
	Body struct {
		Name string        `json:"name" required:"true" minLength:"1" maxLength:"200" example:"Churn data"`
		Type string        `json:"type" required:"true" enum:"aws-s3" example:"aws-s3"`
		S3   *bucketConfig `json:"s3" doc:"Where the bucket is; required for aws-s3."`
	}
}

type createConnectorInstance struct {
	Body struct {
		Name        string               `json:"name" required:"true" minLength:"1" maxLength:"200" example:"Churn data"`
		Config      view.ConnectorConfig `json:"config" required:"true" doc:"Where the bucket is."`
		Credentials *bucketCredentials   `json:"credentials" doc:"Who reads it."`
	}
}

type scanConnector struct {
	Body struct {
		Files []string `json:"files" maxItems:"100" doc:"Keys of files; those of tables that are found first when absent." example:"[\"data/customers.csv\"]"`
	}
}

type connectorFiles struct {
	Prefix string `query:"prefix" doc:"Only files whose keys begin so."`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"How many files at most."`
}

// connectorMount is one of the two places where connectors are served.
type connectorMount struct {
	mount            *httpx.Mount
	noun, collection string
	param            string
}

func connectorMounts() []connectorMount {
	return []connectorMount{
		{httpx.V1, "Connector", "/connectors", "id"},
		{httpx.API, "ConnectorInstance", "/connectors/{connector_id}/instances", "instance_id"},
	}
}

// op makes an operation on connectors, or, with below, on one of them.
func (m connectorMount) op(verb, method, below, summary, permission string) httpx.Op {
	path := m.collection
	if below != "" {
		path += "/{" + m.param + "}" + below[1:]
	}
	return httpx.Op{ID: verb + m.noun, Method: method, Path: path, Mount: m.mount, Tag: "Connectors", Summary: summary,
		Permission: "connectors:" + permission}
}

// request says which connector an operation is about, and for whom.
func (m connectorMount) request(ctx context.Context, permission string) (commands.Request, error) {
	if err := m.known(ctx); err != nil {
		return commands.Request{}, err
	}
	return request(ctx, permission, httpx.PathValue(ctx, m.param)), nil
}

// known answers NOT_FOUND for a type of connector that there is not.
func (m connectorMount) known(ctx context.Context) error {
	if typ := httpx.PathValue(ctx, "connector_id"); m.mount == httpx.API && typ != string(connector.AWSS3) {
		return domain.NotFound("connector type", typ)
	}
	return nil
}

func (a *API) connectors() {
	const tried = "The place is tried before the answer: status and error tell how that went."
	for _, m := range connectorMounts() {
		create := m.op("create", http.MethodPost, "", "Create connector", "create")
		create.Status, create.Description = http.StatusCreated, tried
		if m.mount == httpx.V1 {
			httpx.Register(a.r, create, func(ctx context.Context, in *createConnector) (httpx.Reply[view.Connector], error) {
				b := in.Body
				if b.S3 == nil {
					b.S3 = &bucketConfig{}
				}
				return a.createConnector(ctx, create.Permission, b.Name, b.S3.ConnectorConfig, b.S3.bucketCredentials, "s3.", "s3.")
			})
		} else {
			httpx.Register(a.r, create, func(ctx context.Context, in *createConnectorInstance) (httpx.Reply[view.Connector], error) {
				if err := m.known(ctx); err != nil {
					return httpx.Reply[view.Connector]{}, err
				}
				b := in.Body
				if b.Credentials == nil {
					b.Credentials = &bucketCredentials{}
				}
				return a.createConnector(ctx, create.Permission, b.Name, b.Config, *b.Credentials, "config.", "credentials.")
			})
		}
		a.connectorDelete(m)
		a.connectorTest(m)
		a.connectorScan(m)
		a.connectorFiles(m)
	}
}

func (a *API) createConnector(ctx context.Context, permission, name string, c view.ConnectorConfig, by bucketCredentials,
	settingsAt, credentialsAt string) (httpx.Reply[view.Connector], error) {

	path := c.Endpoint != ""
	if c.ForcePathStyle != nil {
		path = *c.ForcePathStyle
	}
	out, err := a.Connectors.Create(ctx, request(ctx, permission, ""), connectors.New{
		Create: connector.Create{Name: name, Type: connector.AWSS3,
			S3: connector.S3{Bucket: c.Bucket, Region: c.Region, Endpoint: c.Endpoint, Prefix: c.Prefix, ForcePathStyle: path}},
		Credentials: connectors.Credentials(by), SettingsAt: settingsAt, CredentialsAt: credentialsAt,
	})
	if err != nil {
		return httpx.Reply[view.Connector]{}, err
	}
	a.settled(ctx, connectorModel, out.Position) // whoever deletes a secret next is told of it
	return httpx.Reply[view.Connector]{Body: view.ConnectorOf(&out.View), Revision: &out.Revision, Position: out.Position}, nil
}

func (a *API) connectorDelete(m connectorMount) {
	op := m.op("delete", http.MethodDelete, ".", "Delete connector", "delete")
	op.Description = "Also one that trainings and benchmarks name: they cannot read through it any more. Scans under way end."
	run := func(ctx context.Context) (commands.Outcome[struct{}], error) {
		req, err := m.request(ctx, op.Permission)
		if err != nil {
			return commands.Outcome[struct{}]{}, err
		}
		return commands.Run[connector.State, struct{}](ctx, a.Handler, connector.Aggregate, req, connector.Delete{}, nil)
	}
	if m.mount == httpx.V1 {
		httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.DeletedID], error) {
			out, err := run(ctx)
			return httpx.Reply[view.DeletedID]{Body: view.DeletedID{ID: out.ID}, Revision: &out.Revision, Position: out.Position}, err
		})
		return
	}
	httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.Deleted], error) {
		out, err := run(ctx)
		return httpx.Reply[view.Deleted]{Body: view.Deleted{ID: out.ID, Deleted: true}, Revision: &out.Revision, Position: out.Position}, err
	})
}

func (a *API) connectorTest(m connectorMount) {
	op := m.op("test", http.MethodPost, "./test", "Test connector", "update")
	op.Description = "Tries to list the bucket, for ten seconds at most, and records how that went."
	httpx.Register(a.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[view.ConnectorTest], error) {
		var none httpx.Reply[view.ConnectorTest]
		req, err := m.request(ctx, op.Permission)
		if err != nil {
			return none, err
		}
		begun := time.Now()
		out, reason, err := a.Connectors.Test(ctx, req)
		if err != nil {
			return none, err
		}
		return httpx.Reply[view.ConnectorTest]{Body: view.ConnectorTest{OK: reason == "", LatencyMS: time.Since(begun).Milliseconds(), Message: reason},
			Revision: &out.Revision, Position: out.Position}, nil
	})
}

func (a *API) connectorScan(m connectorMount) {
	op := m.op("scan", http.MethodPost, "./scan", "Scan connector", "scan")
	op.Description = "Looks into files (CSV, JSON lines, Parquet) for their columns and what is in them. That goes on behind the answer: what was found is at " +
		"`…/scans/{scan_id}`, where id is the scan's. Without files, tables are looked for, and the first hundred scanned."
	httpx.Register(a.r, op, func(ctx context.Context, in *scanConnector) (httpx.Reply[view.ConnectorScan], error) {
		var none httpx.Reply[view.ConnectorScan]
		req, err := m.request(ctx, op.Permission)
		if err != nil {
			return none, err
		}
		out, err := a.Connectors.Scan(ctx, req, in.Body.Files)
		if err != nil {
			return none, err
		}
		return httpx.Reply[view.ConnectorScan]{Body: scanAsked(out), Revision: &out.Revision, Position: out.Position}, nil
	})
}

// scanAsked shows the scan that was just asked for: the latest of those under
// way, which the state holds in their order.
func scanAsked(out commands.Outcome[connector.State]) view.ConnectorScan {
	shown := view.ConnectorScan{ConnectorID: out.ID, Status: "running", RequestedAt: out.View.UpdatedAt, RequestedBy: out.View.CreatedBy}
	if n := len(out.View.Scans); n > 0 {
		scan := out.View.Scans[n-1]
		shown.ID, shown.FileCount, shown.RequestedBy = scan.ID, len(scan.Open), scan.By
		for _, file := range scan.Open {
			shown.Files = append(shown.Files, view.ScannedFile{File: file, Status: "pending"})
		}
	}
	return shown
}

func (a *API) connectorFiles(m connectorMount) {
	op := m.op("list", http.MethodGet, "./files", "List files in a connector", "get")
	op.ID = "list" + m.noun + "Files"
	op.Description = "In the order of their keys, as a list of pages."
	httpx.Register(a.r, op, func(ctx context.Context, in *connectorFiles) (httpx.Reply[[][]view.ConnectorFile], error) {
		var none httpx.Reply[[][]view.ConnectorFile]
		req, err := m.request(ctx, op.Permission)
		if err != nil {
			return none, err
		}
		pages, err := a.Connectors.Files(ctx, req.Principal, req.ID, in.Prefix, in.Limit)
		if err != nil {
			return none, err
		}
		out := make([][]view.ConnectorFile, 0, len(pages))
		for _, page := range pages {
			shown := make([]view.ConnectorFile, 0, len(page))
			for _, o := range page {
				shown = append(shown, view.ConnectorFile(o))
			}
			out = append(out, shown)
		}
		return httpx.Respond(out)
	})
}
