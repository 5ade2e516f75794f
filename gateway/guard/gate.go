package guard

// Gate lets a streamed answer pass as far as it is certain that nothing of it
// will be blocked. It belongs to one goroutine.
type Gate struct {
	rules   *Rules
	text    []byte // that has not passed yet
	looked  int    // bytes of it that have been looked at
	verdict Verdict
}

// Looking again costs as much as the text is long, so it waits for some more of
// it, and for the longer the more is held back.
const (
	lookAfter = 64 // bytes
	lookShare = 8  // one part in so many
)

// Gate makes a gate for one answer.
func (r *Rules) Gate() *Gate { return &Gate{rules: r, verdict: Pass()} }

// Add takes the next piece of the answer and returns what may pass now. Once
// something is blocked, nothing passes any more.
func (g *Gate) Add(piece string) string {
	if !g.verdict.Allowed {
		return ""
	}
	g.text = append(g.text, piece...)
	if len(g.text)-g.looked < max(lookAfter, len(g.text)/lookShare) {
		return ""
	}
	return g.pass(g.certain(), false)
}

// End returns the rest, and the verdict on the whole answer.
func (g *Gate) End() (string, Verdict) {
	rest := ""
	if g.verdict.Allowed {
		rest = g.pass(len(g.text), true)
	}
	return rest, g.verdict
}

// pass looks at what is there and lets the first n bytes pass.
func (g *Gate) pass(n int, end bool) string {
	g.verdict = g.verdict.And(g.rules.look(Output, string(g.text), end))
	if !g.verdict.Allowed {
		g.text = nil
		return ""
	}
	out := string(g.text[:n])
	g.text = append(g.text[:0], g.text[n:]...)
	g.looked = len(g.text)
	return out
}

// certain is how many bytes can be no part of a match that is still to be seen:
// not of one that is going on at the end (a run of token bytes, however long),
// nor of one with spaces in it, which is not longer than [longest]. No run is
// cut, as what passed is not looked at again.
func (g *Gate) certain() int {
	n := max(0, len(g.text)-longest)
	for n > 0 && (isToken(g.text[n-1]) || continues(g.text[n])) {
		n--
	}
	return n
}

// isToken tells whether a byte can be within a key, a number or an address.
func isToken(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' ||
		b == '_' || b == '-' || b == '.' || b == '+' || b == '%' || b == '@' || b == '/' || b == '='
}

// continues tells whether a byte is within a character of UTF-8, which must not
// be cut.
func continues(b byte) bool { return b&0xC0 == 0x80 }

// Verdict is what is found so far.
func (g *Gate) Verdict() Verdict { return g.verdict }
