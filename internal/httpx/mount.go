package httpx

// Mount is a part of the URL space with its own wire format.
type Mount struct {
	Prefix   string // "/api/v1"
	Envelope bool   // answers are {success, data, meta}, errors {success, error, meta}
	Camel    bool   // names are camelCase
	OpenAI   bool   // errors are OpenAI's {error: {message, type, param, code}}
}

// The mounts of the API. Two mounts may share a prefix; the answers of an
// operation follow its own, unknown routes the one that is not OpenAI's.
var (
	// API is enveloped and camelCase.
	API = &Mount{Prefix: "/api/v1", Envelope: true, Camel: true}
	// V1 is plain and snake_case.
	V1 = &Mount{Prefix: "/v1"}
	// V1OpenAI is OpenAI's wire format among the plain operations.
	V1OpenAI = &Mount{Prefix: "/v1", OpenAI: true}
	// OpenAI speaks OpenAI's wire format, for its official clients.
	OpenAI = &Mount{Prefix: "/openai/v1", OpenAI: true}
	// Gateway speaks it too, under the enveloped mount.
	Gateway = &Mount{Prefix: "/api/v1/gateway/v1", OpenAI: true}
)

// Spell spells a canonical name as the mount does.
func (m *Mount) Spell(name string) string { return spell(name, m.Camel) }

// componentSuffix tells the mount's schemas from those of the other case.
func (m *Mount) componentSuffix() string {
	if m.Camel {
		return ""
	}
	return "V1"
}
