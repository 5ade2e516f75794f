// Package gateway calls models on behalf of Strata's users. One call goes
//
//		resolve → reserve → provider → record → settle → last bytes to the client
//
//	  - resolve: a model name becomes one or more candidates (a provider and its
//	    model), in the order in which they are tried.
//	  - reserve: the most the call can cost is taken from every budget that
//	    applies, before the provider hears of it. No reservation, no call.
//	  - provider: tried, retried and replaced by the next candidate, as long as the
//	    client has not been sent a byte.
//	  - record: the call is written to the log, whatever its outcome. The client's
//	    answer ends only after the record is durable: what a user has received in
//	    full is in the log.
//	  - settle: the reservation is turned into what was really used, exactly once
//	    on every path. Should that fail, the record names the reservation and the
//	    cost, so it can be settled from the log.
//
// Requests and answers pass in OpenAI's wire format, unknown fields included;
// the gateway touches what it must: the model's name, usage in streams, and a
// limit for the answer where a budget needs one. The answer's "model" stays what
// the provider says, as OpenAI itself answers with the exact version of the model
// that was asked for.
//
// The packages below: upstream (providers over HTTP), builtin (models without a
// network), openaiapi (the HTTP face), pricing, tokens, sse, rawjson, and
// gatewaytest (a provider and fakes for tests).
package gateway
