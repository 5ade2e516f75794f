package gateway_test

import (
	"reflect"
	"testing"

	"strata/domain"
	"strata/gateway"
)

func TestVectors(t *testing.T) {
	for body, want := range map[string][][]float32{
		`{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2.5]}]}`: {{1, 2.5}, {3, 4}},
		`{"data":[]}`: {},
		`{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}]}`:   nil,
		`{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2,3]}]}`: nil,
		`{"data":[{"index":0,"embedding":[]}]}`:                                nil,
		`{"data":[{"index":5,"embedding":[1]}]}`:                               nil,
		`{"data":"none"}`:                                                      nil,
	} {
		got, err := (&gateway.EmbedResponse{Body: []byte(body)}).Vectors()
		if want == nil {
			if domain.CodeOf(err) != domain.CodeAIService || err == nil {
				t.Errorf("%s: %v, %v", body, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}
