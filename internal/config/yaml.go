package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// applyYAML sets what a file says. It goes through the document's nodes rather
// than decoding into the struct, so that every fault is told with its line.
func (l *Loader) applyYAML(path string, text []byte) []error {
	var doc yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file says nothing
	} else if err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return []error{fmt.Errorf("%s: holds more than one document", path)}
	}
	w := yamlWalk{file: path, settings: map[string]*setting{}, sections: map[string]bool{}}
	for _, s := range l.settings {
		w.settings[s.path] = s
		for section := s.path; strings.Contains(section, "."); {
			section = section[:strings.LastIndexByte(section, '.')]
			w.sections[section] = true
		}
	}
	w.section("", doc.Content[0])
	return w.faults
}

type yamlWalk struct {
	file     string
	settings map[string]*setting
	sections map[string]bool
	faults   []error
}

func (w *yamlWalk) fault(n *yaml.Node, format string, args ...any) {
	w.faults = append(w.faults, fmt.Errorf("%s:%d: %s", w.file, n.Line, fmt.Sprintf(format, args...)))
}

func (w *yamlWalk) section(path string, n *yaml.Node) {
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		w.fault(n, "%s must be a mapping", cmp.Or(path, "the file"))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		switch s := w.settings[name]; {
		case seen[name]:
			w.fault(key, "%s is given twice", name)
		case s != nil:
			w.scalar(s, value)
		case w.sections[name]:
			w.section(name, value)
		default:
			w.fault(key, "%s is not a setting", name)
		}
		seen[name] = true
	}
}

func (w *yamlWalk) scalar(s *setting, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	text := n.Value
	if _, isList := s.value.Interface().([]string); isList && n.Kind == yaml.SequenceNode {
		var items []string
		if err := n.Decode(&items); err != nil {
			w.fault(n, "%s must be a list of texts", s.path)
			return
		}
		text = strings.Join(items, ",")
	} else if n.Kind != yaml.ScalarNode {
		w.fault(n, "%s must be a single value", s.path)
		return
	}
	if n.Tag == "!!null" {
		return // "key:" without a value leaves the default
	}
	if err := s.from(fmt.Sprintf("%s:%d", w.file, n.Line), text); err != nil {
		w.faults = append(w.faults, err)
	}
}
