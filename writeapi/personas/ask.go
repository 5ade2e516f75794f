package personas

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"strata/domain"
	"strata/gateway"
)

// ask has a model answer in JSON that check accepts. An answer that it does not
// accept goes back once with what is wrong; models mend that mostly. Errors:
// those of the gateway; AI_SERVICE_ERROR with the faults of the second answer.
func (s *Service) ask(ctx context.Context, call gateway.Call, model string, messages []gateway.Message, check func(json.RawMessage, *domain.Faults)) error {
	zero := 0.0
	for try := 1; ; try++ {
		req, err := gateway.NewChat(gateway.ChatParams{Model: model, Messages: messages, Temperature: &zero})
		if err != nil {
			return err
		}
		res, err := s.Gateway.Chat(ctx, call, req)
		if err != nil {
			return err
		}
		wrong := judge(res.Text, check)
		if wrong == nil {
			return nil
		}
		if try == 2 {
			return &domain.Error{Code: domain.CodeAIService, Message: "the model " + model + " did not answer as it was asked to, twice", Fields: wrong}
		}
		messages = append(messages, gateway.Message{Role: "assistant", Content: res.Text},
			gateway.Message{Role: "user", Content: "That answer cannot be used: " + listed(wrong) + ". Answer again, with the corrected JSON only."})
	}
}

// judge names what is wrong with an answer; nil: nothing.
func judge(said string, check func(json.RawMessage, *domain.Faults)) []domain.FieldError {
	var f domain.Faults
	raw, err := answered(said)
	if err != nil {
		f.Add(true, "answer", "%v", err)
	} else {
		check(raw, &f)
	}
	if e, ok := errors.AsType[*domain.Error](f.Err()); ok {
		return e.Fields
	}
	return nil
}

func listed(faults []domain.FieldError) string {
	var parts []string
	for _, f := range faults {
		parts = append(parts, f.Field+" "+f.Message)
	}
	return strings.Join(parts, "; ")
}
