package eslog

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Rights over a stream.
type Right string

// The rights, by their keys in metadata.
const (
	Read          Right = "$r"
	Write         Right = "$w"
	Remove        Right = "$d"
	ReadMetadata  Right = "$mr"
	WriteMetadata Right = "$mw"
)

// ACL names the users and groups that have a right; one that is not listed is
// decided by the default.
type ACL map[Right][]string

// Names that stand for the defaults of one or the other kind of stream.
const (
	UserStreamACL   = "$userStreamAcl"
	SystemStreamACL = "$systemStreamAcl"
)

// NamedACL returns the name that stands in place of an ACL; "" when there is none.
func NamedACL(data []byte) string {
	var name string
	if len(data) == 0 || data[0] != '"' || json.Unmarshal(data, &name) != nil {
		return ""
	}
	return name
}

// ParseACL reads the "$acl" of metadata. Empty JSON is no ACL.
func ParseACL(data []byte) (ACL, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	if name := NamedACL(data); name == UserStreamACL || name == SystemStreamACL {
		return nil, nil
	}
	var fields map[Right]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return nil, errors.New("$acl is no object")
	}
	acl := ACL{}
	for right, v := range fields {
		var one string
		var many []string
		switch {
		case string(v) == "null":
			continue
		case json.Unmarshal(v, &one) == nil:
			many = []string{one}
		case json.Unmarshal(v, &many) != nil:
			return nil, fmt.Errorf("%s of $acl is no name and no list of names", right)
		}
		acl[right] = many
	}
	return acl, nil
}
