package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Print writes every setting in force with its source, secrets masked.
func (l *Loaded) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SETTING\tVALUE\tFROM")
	for _, s := range l.settings {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", s.path, s.shown(), s.source)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	return nil
}

// Markdown writes the reference of all settings: docs/configuration.md.
func Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(markdownHead)
	c, section := Default(), ""
	for _, s := range settingsOf(&c) {
		if name, _, _ := strings.Cut(s.path, "."); name != section {
			section = name
			fmt.Fprintf(&b, "\n## %s\n\n| setting | variable | flag | default | meaning |\n| --- | --- | --- | --- | --- |\n", section)
		}
		flag, value := "", ""
		if s.flag != "" {
			flag = "`--" + s.flag + "`"
		}
		if s.text() != "" {
			value = "`" + s.text() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", s.path, s.env, flag, value, strings.ReplaceAll(s.doc, "|", "\\|"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const markdownHead = `# Configuration

Everything has a default: ` + "`strata serve`" + ` runs without any setting. This page is
generated from ` + "`internal/config/config.go`" + ` by the tests of that package.

A setting is looked for in four places; the later overrides the earlier:

1. the default
2. the YAML file: ` + "`--config FILE`, else `STRATA_CONFIG`, else `strata.yaml`" + ` in the
   working directory if there is one
3. the environment
4. flags

` + "`strata config`" + ` prints what is in force, where each value comes from, with secrets
masked. Keys of the file that are not settings are errors; variables that begin
with ` + "`STRATA_`" + ` and are not settings are warnings. Secrets have no flag, because
command lines can be seen by every user of a machine.

Durations are written ` + "`300ms`, `30s`, `5m`; sizes `4096`, `64MiB`, `10MB`" + `; lists with
commas (in YAML also as lists).

` + "```yaml" + `
# strata.yaml
server:
  listen: 0.0.0.0:8000
  public_url: https://strata.example.com
  rate_limits:
    free: {key: 100, workspace: 500}
clickhouse:
  memory_limit: 2GiB
` + "```" + `
`
