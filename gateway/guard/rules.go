package guard

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// Category is a sort of what is found.
type Category string

// The categories of the rules.
const (
	PromptInjection Category = "prompt_injection" // tries to change what a model was told to be; looked for in questions only
	Secret          Category = "secret"           // keys, tokens, private keys
	PaymentCard     Category = "payment_card"
	BankAccount     Category = "bank_account" // IBAN
	NationalID      Category = "national_id"  // social security numbers of the USA
	Email           Category = "email"
	Phone           Category = "phone"
)

// Categories lists what the rules find.
func Categories() []Category {
	return []Category{PromptInjection, Secret, PaymentCard, BankAccount, NationalID, Email, Phone}
}

// Side is where a text comes from.
type Side string

// The sides.
const (
	Input  Side = "input"  // what a model is asked
	Output Side = "output" // what it answers
)

// rule finds one sort of text. What it matches is either one run of token bytes
// (see isToken) or at most [longest] bytes long; the gate relies on it.
type rule struct {
	category Category
	name     string
	pattern  *regexp.Regexp
	needs    []string                // one of them is in every match; nil: not known. It saves looking.
	valid    func(match string) bool // nil: every match counts
	input    bool                    // for questions only
	folded   bool                    // looks at the text without what nobody sees in it
}

// longest is how long a match with spaces in it can be.
const longest = 256

// Rules are the patterns with what is done about them. They are safe for
// concurrent use.
type Rules struct {
	rules   []rule
	blocked map[Category]bool
}

// New makes the rules; blocked are the categories that must not pass. The others
// are told of only. An unknown category is an error.
func New(blocked []Category) (*Rules, error) {
	r := &Rules{rules: patterns(), blocked: map[Category]bool{}}
	for _, c := range blocked {
		if !slices.Contains(Categories(), c) {
			return nil, fmt.Errorf("guard: there is no category %q; there are %v", c, Categories())
		}
		r.blocked[c] = true
	}
	return r, nil
}

func patterns() []rule {
	token := func(name, pattern string, needs ...string) rule {
		return rule{category: Secret, name: name, needs: needs, pattern: regexp.MustCompile(pattern)}
	}
	injection := func(name, pattern string) rule {
		return rule{category: PromptInjection, name: name, pattern: regexp.MustCompile(`(?i)` + pattern), input: true, folded: true}
	}
	decimals := strings.Split("0123456789", "")
	return []rule{
		injection("an order to ignore instructions", `\b(ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}\b(instruction|instructions|rule|rules|prompt|prompts|guideline|guidelines|directions|restrictions)\b`),
		injection("an order to ignore instructions", `\b(ignoriere|vergiss|missachte)\b[^.!?\n]{0,40}\b(anweisung|anweisungen|regel|regeln|vorgaben)\b`),
		injection("an order to ignore instructions", `\b(ignore[zr]?|oublie[zr]?|ignora|olvida)\b[^.!?\n]{0,40}\b(instructions|r[eè]gles|consignes|instrucciones|reglas|istruzioni|regole)\b`),
		injection("a question for the hidden prompt", `\b(reveal|show|print|repeat|output|display|leak|tell me)\b[^.!?\n]{0,40}\b(system prompt|system message|hidden (prompt|instructions)|initial (prompt|instructions)|your (instructions|prompt))\b`),
		injection("another role for the model", `\b(you are now|act as|pretend (to be|you are))\b[^.!?\n]{0,40}\b(dan|jailbroken|unrestricted|unfiltered|without (any )?(restrictions|rules|filters))\b`),
		injection("another role for the model", `\b(do anything now|developer mode (enabled|on)|jailbreak mode)\b`),
		injection("marks of a prompt's format", `<\|(im_start|im_end|system|endoftext)\|>|\[/?INST\]|<</?SYS>>`),

		token("an AWS access key", `\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`, "AKIA", "ASIA"),
		token("a GitHub token", `\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}\b`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
		token("a Slack token", `\bxox[abeoprs]-[A-Za-z0-9-]{10,}`, "xox"),
		token("an API key", `\bsk-[A-Za-z0-9_-]{20,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}`, "sk-", "sk_", "rk_"),
		token("a Google API key", `\bAIza[0-9A-Za-z_-]{35}`, "AIza"),
		token("a JSON web token", `\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}`, "eyJ"),
		token("a private key", `-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY`, "PRIVATE KEY"),

		{category: PaymentCard, name: "a payment card", needs: decimals, valid: luhn,
			pattern: regexp.MustCompile(`\b(?:[2-6]\d{12,18}|[2-6]\d{3}[ -]\d{4}[ -]\d{4}[ -]\d{4}(?:[ -]\d{1,3})?|3\d{3}[ -]\d{6}[ -]\d{4,5})\b`)},
		{category: BankAccount, name: "a bank account", needs: decimals, valid: iban,
			pattern: regexp.MustCompile(`\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b`)},
		{category: NationalID, name: "a social security number", needs: decimals, valid: socialSecurity, pattern: regexp.MustCompile(`\b\d{3}-\d{2}-\d{4}\b`)},
		{category: Email, name: "an e-mail address", needs: []string{"@"}, pattern: regexp.MustCompile(`\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}\b`)},
		{category: Phone, name: "a phone number", needs: []string{"+"}, pattern: regexp.MustCompile(`\+\d{1,3}(?:[ ()./-]{0,2}\d){6,12}\b`)},
	}
}

// digits are the digits of a text.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// luhn tells whether the check digit of a card's number is right.
func luhn(s string) bool {
	d := digits(s)
	if len(d) < 13 || len(d) > 19 {
		return false
	}
	sum := 0
	for i := range len(d) {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// iban tells whether the check digits of a bank account are right (ISO 13616).
func iban(s string) bool {
	s = strings.ReplaceAll(s, " ", "")
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	var number strings.Builder
	for _, r := range s[4:] + s[:4] {
		if r >= 'A' {
			fmt.Fprintf(&number, "%d", r-'A'+10)
		} else {
			number.WriteRune(r)
		}
	}
	n, ok := new(big.Int).SetString(number.String(), 10)
	return ok && n.Mod(n, big.NewInt(97)).Int64() == 1
}

// socialSecurity leaves out numbers that are never given to anybody.
func socialSecurity(s string) bool {
	return s[:3] != "000" && s[:3] != "666" && s[0] != '9' && s[4:6] != "00" && s[7:] != "0000"
}

// fold takes out what nobody sees (characters without width), and makes one
// space of every space, so that neither hides a phrase.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 0xAD, r >= 0x200B && r <= 0x200F, r == 0x2060, r == 0xFEFF:
			return -1
		case r == 0xA0, r >= 0x2000 && r <= 0x200A, r == 0x202F, r == 0x3000, r == '\t':
			return ' '
		}
		return r
	}, s)
}
