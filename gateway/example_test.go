package gateway_test

import (
	"context"
	"fmt"

	"strata/gateway"
	"strata/gateway/gatewaytest"
)

// A streamed call to a built-in model, with everything around the gateway in
// memory.
func ExampleGateway_ChatStream() {
	books := &gatewaytest.Books{}
	g, err := gateway.New(gateway.Config{Directory: &gatewaytest.Directory{}, Budgets: books, Recorder: books})
	if err != nil {
		fmt.Println(err)
		return
	}
	req, err := gateway.NewChat(gateway.ChatParams{
		Model: "strata/extract-1",
		Messages: []gateway.Message{
			{Role: "system", Content: "Our shop opens at nine. We sell shoes and boots."},
			{Role: "user", Content: "What do you sell?"},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := gateway.Call{Workspace: "wks_1", User: "user_1"}
	summary, err := g.ChatStream(context.Background(), call, req, func(c gateway.Chunk) error {
		fmt.Print(c.Text)
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("\n%d tokens, %d recorded\n", summary.Usage.OutputTokens, len(books.Records()))
	// Output:
	// We sell shoes and boots.
	// 6 tokens, 1 recorded
}
