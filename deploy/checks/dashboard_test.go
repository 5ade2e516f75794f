package checks

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

const dashboardFile = "../monitoring/dashboard.json"

// dashboard is a Grafana dashboard, as far as it matters here.
type dashboard struct {
	UID    string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ RefID, Expr string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(bytes.TrimSpace(text)) || d.UID == "" || len(d.Panels) < 10 {
		t.Fatalf("this is no dashboard: %d panels", len(d.Panels))
	}
	return d
}

// grafana fills in what Grafana would.
var grafana = strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*")

// queries are all expressions of the dashboard and the alerts, by where they stand.
func queries(t *testing.T) map[string]parser.Expr {
	t.Helper()
	list := map[string]parser.Expr{}
	p := parser.NewParser(parser.Options{})
	add := func(where, text string) {
		expr, err := p.ParseExpr(grafana.Replace(text))
		if err != nil {
			t.Errorf("%s: %v in %s", where, err, text)
			return
		}
		list[where] = expr
	}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			add("panel "+panel.Title+" "+target.RefID, target.Expr)
		}
	}
	for name, rule := range alerts(t) {
		add("alert "+name, rule.Expr)
	}
	return list
}

func TestDashboard(t *testing.T) {
	ids := map[int]bool{}
	for _, panel := range readDashboard(t).Panels {
		if ids[panel.ID] {
			t.Errorf("panel %d is there twice", panel.ID)
		}
		ids[panel.ID] = true
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %s asks nothing", panel.Title)
		}
		if g := panel.GridPos; g.X+g.W > 24 || g.W == 0 || g.H == 0 {
			t.Errorf("panel %s lies outside: %+v", panel.Title, g)
		}
	}
	if len(queries(t)) < 30 {
		t.Error("some queries are missing")
	}
}
