package checks

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"gopkg.in/yaml.v3"
)

const alertsFile = "../monitoring/alerts.yml"

// alerts are the rules by name, checked as Prometheus checks them when it starts.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(alertsFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	rules := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if _, twice := rules[r.Alert]; twice {
				t.Errorf("%s is there twice", r.Alert)
			}
			rules[r.Alert] = r
		}
	}
	return rules
}

// ruleTests is promtool's file of tests, as far as ours uses it.
type ruleTests struct {
	RuleFiles []string       `yaml:"rule_files"`
	Evaluate  model.Duration `yaml:"evaluation_interval"`
	Tests     []struct {
		Name     string
		Interval model.Duration
		Series   []struct{ Series, Values string } `yaml:"input_series"`
		Alerts   []struct {
			At       model.Duration `yaml:"eval_time"`
			Alert    string         `yaml:"alertname"`
			Expected []struct {
				Labels      map[string]string `yaml:"exp_labels"`
				Annotations map[string]string `yaml:"exp_annotations"`
			} `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// TestAlerts runs alerts_test.yml: which alerts fire, with what labels and words.
func TestAlerts(t *testing.T) {
	rules, tests := alerts(t), ruleTests{}
	readYAML(t, "../monitoring/alerts_test.yml", &tests)
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 100_000)
	tested := map[string]bool{}
	for _, x := range tests.Tests {
		t.Run(x.Name, func(t *testing.T) {
			var load strings.Builder
			fmt.Fprintf(&load, "load %s\n", x.Interval)
			for _, s := range x.Series {
				fmt.Fprintf(&load, "  %s %s\n", s.Series, s.Values)
			}
			db := promqltest.LoadedStorage(t, load.String())
			for _, want := range x.Alerts {
				rule, known := rules[want.Alert]
				if !known {
					t.Fatalf("there is no alert %s", want.Alert)
				}
				var expected []string
				for _, e := range want.Expected {
					tested[want.Alert] = true
					expected = append(expected, fmt.Sprint(e.Labels, e.Annotations))
				}
				got := firing(t, engine, db, rule, time.Duration(want.At), time.Duration(tests.Evaluate))
				slices.Sort(expected)
				if !slices.Equal(got, expected) {
					t.Errorf("%s after %s: %v, want %v", want.Alert, want.At, got, expected)
				}
			}
		})
	}
	for name := range rules {
		if !tested[name] {
			t.Errorf("no test sees %s fire", name)
		}
	}
}

// firing evaluates a rule from the beginning to a moment and returns the alerts
// that fire then, as text.
func firing(t *testing.T, engine *promql.Engine, db storage.Queryable, rule rulefmt.Rule, at, every time.Duration) []string {
	t.Helper()
	since := map[string]time.Duration{}
	var now []string
	for moment := time.Duration(0); moment <= at; moment += every {
		query, err := engine.NewInstantQuery(t.Context(), db, nil, rule.Expr, time.UnixMilli(0).Add(moment))
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(t.Context())
		vector, err := result.Vector()
		if err != nil {
			t.Fatalf("%s: %v", rule.Alert, err)
		}
		active := map[string]bool{}
		now = nil
		for _, sample := range vector {
			key := sample.Metric.String()
			active[key] = true
			if _, pending := since[key]; !pending {
				since[key] = moment
			}
			if moment-since[key] >= time.Duration(rule.For) {
				now = append(now, words(t, rule, sample, moment))
			}
		}
		for key := range since {
			if !active[key] {
				delete(since, key)
			}
		}
		query.Close()
	}
	slices.Sort(now)
	return now
}

// words are an alert's labels and annotations, filled in.
func words(t *testing.T, rule rulefmt.Rule, sample promql.Sample, at time.Duration) string {
	t.Helper()
	all := sample.Metric.Map()
	delete(all, labels.MetricName)
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	annotations := map[string]string{}
	for name, text := range rule.Annotations {
		text = "{{$labels := .Labels}}{{$value := .Value}}" + text
		noQueries := func(context.Context, string, time.Time) (promql.Vector, error) { return nil, nil }
		filled, err := template.NewTemplateExpander(t.Context(), text, rule.Alert, data, model.Time(timestamp.FromTime(time.UnixMilli(0).Add(at))),
			noQueries, nil, nil).Expand()
		if err != nil {
			t.Fatalf("%s, %s: %v", rule.Alert, name, err)
		}
		annotations[name] = filled
	}
	for name, value := range rule.Labels {
		all[name] = value
	}
	return fmt.Sprint(all, annotations)
}

// Every alert says what to do in a section of the runbook that is there.
func TestAlertsNameTheRunbook(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if title, found := strings.CutPrefix(strings.TrimSpace(strings.TrimLeft(line, "#")), ""); found && strings.HasPrefix(line, "#") {
			sections[anchor(title)] = true
		}
	}
	for name, rule := range alerts(t) {
		file, section, _ := strings.Cut(rule.Annotations["runbook"], "#")
		if file != "docs/runbook.md" || !sections[section] {
			t.Errorf("%s names %q, which is not there", name, rule.Annotations["runbook"])
		}
		if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%s has no severity or no summary", name)
		}
	}
}

// anchor is what a heading is linked by.
func anchor(title string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, title)), " ", "-")
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
