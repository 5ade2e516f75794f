package arguments

import (
	"encoding/json"
	"fmt"
	"strings"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/insight"
	"strata/gateway"
	"strata/gateway/replies"
)

// What models are told. They are asked for JSON because it can be told apart
// from what surrounds it; what comes otherwise is read as plain text.
const (
	argumentTask = `You write arguments: short texts that convince one client of one action. ` +
		`Use only what you are told of the client, the product and the action; invent nothing. Keep to the insight specification. ` +
		`Answer with one JSON object and nothing else: {"argument": "the text for the client", "thinking": "why it fits this client"}`
	insightTask = `You advise on how to approach one client with the actions you are told of. Use only what you are told; invent nothing. ` +
		`Answer with one JSON object and nothing else: {"argument_content": "the text for the client", "argument_thinking": "why it fits this client", ` +
		`"best_channel": "over which channel", "best_time": "when", "timeliness": "why now, or why not", "insight": "what matters about this client", ` +
		`"type": "type of the best action"}`
)

// section is a part of a prompt under its heading.
func section(title, text string) string { return "# " + title + "\n" + text }

func document(d domain.Doc) (string, error) {
	b, err := json.MarshalIndent(d, "", "  ")
	return string(b), err
}

// action describes an action; what it does not say is left out.
func action(a catalogue.Action) string {
	var lines []string
	for _, l := range [][2]string{{"Name", a.Name}, {"Description", a.Description}, {"Type", a.Type}, {"Priority", a.Priority},
		{"Channel", a.Channel}, {"How to write on that channel", a.ChannelTemplate}, {"What is known beyond the client's data", a.CustomInsights},
		{"From", a.StartDate}, {"Until", a.EndDate}} {
		if l[1] != "" {
			lines = append(lines, l[0]+": "+l[1])
		}
	}
	return strings.Join(lines, "\n")
}

// argumentPrompt is what a model is sent for an argument.
func argumentPrompt(a *catalogue.Action, client, product, spec domain.Doc) ([]gateway.Message, error) {
	var parts []string
	if a != nil {
		parts = append(parts, section("Action", action(*a)))
	}
	for _, d := range []struct {
		title string
		doc   domain.Doc
	}{{"Client", client}, {"Product", product}, {"Insight specification", spec}} {
		text, err := document(d.doc)
		if err != nil {
			return nil, err
		}
		parts = append(parts, section(d.title, text))
	}
	return prompt(argumentTask, parts, "Write the argument."), nil
}

// insightPrompt is what a model is sent for an insight.
func insightPrompt(actions []catalogue.Action, client string) []gateway.Message {
	var parts []string
	for i, a := range actions {
		parts = append(parts, section(fmt.Sprintf("Action %d", i+1), action(a)))
	}
	if client != "" {
		parts = append(parts, section("Client", client))
	}
	return prompt(insightTask, parts, "How is this client approached best?")
}

func prompt(task string, parts []string, question string) []gateway.Message {
	return []gateway.Message{{Role: "system", Content: task}, {Role: "user", Content: strings.Join(append(parts, question), "\n\n")}}
}

// written is what a model wrote, with what it thought apart.
type written struct {
	thinking string
	content  string
	object   domain.Doc // nil: it is plain text
}

// read takes an answer apart.
func read(body []byte) written {
	m := replies.Of(body)
	var w written
	thought, content := replies.Split(m.Content)
	w.thinking, w.content = joined(m.Thinking, thought), content
	w.object, _ = replies.Object(content)
	return w
}

// argument is the text for the client and what was thought for it. An object
// without the field asked for is no answer to the question: then all of it is
// the text, so that nothing is lost.
func (w *written) argument() (content, thinking string) {
	content = replies.Field(w.object, "argument", "argument_content", "content", "text")
	if content == "" {
		return w.content, w.thinking
	}
	return content, joined(w.thinking, replies.Field(w.object, "thinking", "argument_thinking", "reasoning"))
}

// found is what an insight is made of. Plain text is the insight and its
// argument; what was asked for beside them is then not known, and stays empty.
func (w *written) found() insight.Found {
	out := insight.Found{Thinking: w.thinking}
	d := w.object
	if nested, err := domain.Decode[struct {
		Argument domain.Doc `json:"argument"`
	}](domain.Doc{"argument": d["argument"]}); err == nil && nested.Argument != nil {
		out.ArgumentContent = replies.Field(nested.Argument, "content", "argument", "text")
		out.ArgumentThinking = replies.Field(nested.Argument, "thinking", "reasoning")
	}
	if out.ArgumentContent == "" {
		out.ArgumentContent = replies.Field(d, "argument_content", "argument", "content", "text")
	}
	if out.ArgumentThinking == "" {
		out.ArgumentThinking = replies.Field(d, "argument_thinking")
	}
	out.BestChannel, out.BestTime = replies.Field(d, "best_channel", "channel"), replies.Field(d, "best_time", "time")
	out.Timeliness, out.Insight, out.Type = replies.Field(d, "timeliness"), replies.Field(d, "insight"), replies.Field(d, "type")
	out.Thinking = joined(out.Thinking, replies.Field(d, "thinking"))
	if out.ArgumentContent == "" && out.Insight == "" {
		out.ArgumentContent, out.Insight = w.content, w.content
	}
	out.Argument = joined(out.ArgumentThinking, out.ArgumentContent)
	return out
}

// joined are texts in paragraphs, without the empty ones.
func joined(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, "\n\n")
}
