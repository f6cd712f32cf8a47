package probes

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes foreign text safe for a terminal and a log line: escape sequences and control characters are removed, line breaks and tabs
// become spaces, invalid UTF-8 becomes U+FFFD, and no more than limit runes are kept, the last of them an ellipsis if something was cut.
// It reads no more of text than it needs.
func Clean(text string, limit int) string {
	if limit <= 0 {
		return ""
	}
	var b strings.Builder
	count, space := 0, false
	for i := 0; i < len(text); {
		if n := escapeLength(text[i:]); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		switch {
		case unicode.IsSpace(r):
			space = count > 0
			continue
		case !printable(r): // what was no UTF-8 has become U+FFFD, which is
			continue
		}
		if space {
			b.WriteByte(' ')
			count++
			space = false
		}
		if count >= limit {
			return ellipsis(b.String(), limit)
		}
		b.WriteRune(r)
		count++
	}
	if count > limit {
		return ellipsis(b.String(), limit)
	}
	return b.String()
}

// ellipsis cuts text, which is longer than limit runes or about to be, so that it ends in an ellipsis within the limit.
func ellipsis(text string, limit int) string {
	runes := []rune(text)
	if len(runes) > limit-1 {
		runes = runes[:limit-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

// printable leaves out controls, the characters that reorder or hide text around them, and what is no character at all.
func printable(r rune) bool {
	if unicode.Is(unicode.Cf, r) {
		return r == '\u200d' // the joiner inside emoji
	}
	return !unicode.IsControl(r) && !unicode.Is(unicode.Co, r) && !unicode.Is(unicode.Cs, r) && !unicode.Is(unicode.Noncharacter_Code_Point, r) &&
		r != '\u2028' && r != '\u2029'
}

// escapeLength is the length of the escape sequence that text begins with, or 0. An unfinished one reaches to the end of the text.
func escapeLength(text string) int {
	var rest string
	var kind byte
	switch {
	case len(text) >= 2 && text[0] == 0x1b:
		kind, rest = text[1], text[2:]
	case len(text) >= 2 && text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f: // C1 in UTF-8
		kind, rest = text[1]-0x40, text[2:]
	case len(text) == 1 && text[0] == 0x1b:
		return 1
	default:
		return 0
	}
	used := len(text) - len(rest)
	switch kind {
	case '[': // CSI: up to a final byte
		for i := 0; i < len(rest); i++ {
			if rest[i] >= 0x40 && rest[i] <= 0x7e {
				return used + i + 1
			}
			if rest[i] < 0x20 || rest[i] > 0x7e {
				return used + i
			}
		}
		return len(text)
	case ']', 'P', 'X', '^', '_': // OSC, DCS, SOS, PM, APC: up to ST or BEL
		for i := 0; i < len(rest); i++ {
			switch {
			case rest[i] == 0x07:
				return used + i + 1
			case rest[i] == 0x1b && i+1 < len(rest) && rest[i+1] == '\\':
				return used + i + 2
			case rest[i] == 0xc2 && i+1 < len(rest) && rest[i+1] == 0x9c:
				return used + i + 2
			}
		}
		return len(text)
	case '(', ')', '*', '+', '-', '.', '/', '#', ' ', '%': // designations take one more byte
		if len(rest) > 0 && rest[0] < 0x80 {
			return used + 1
		}
	}
	if kind >= 0x80 || kind < 0x20 { // ESC before something that is no sequence: drop the ESC alone
		return 1
	}
	return used
}
