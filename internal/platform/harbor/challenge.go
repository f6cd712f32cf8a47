package harbor

import (
	"strings"

	"github.com/254carbon/gonogo/probes"
	probe "github.com/254carbon/gonogo/probes/harbor"
)

const (
	maxChallenges = 8
	maxParams     = 16
)

// challenges reads WWW-Authenticate headers. One header may hold several challenges, and a comma separates both challenges and their
// parameters (RFC 9110, 11.6.1): a token that an equals sign follows is a parameter, any other begins a challenge.
func challenges(headers []string) []probe.Challenge {
	var list []probe.Challenge
	for _, header := range headers {
		s := scanner{rest: header}
		for s.skip(" \t,"); s.rest != ""; s.skip(" \t,") {
			word := s.token()
			if word == "" { // no grammar begins so: step over it
				s.rest = s.rest[1:]
				continue
			}
			if value, ok := s.value(); ok && len(list) > 0 {
				params := list[len(list)-1].Params
				if _, twice := params[strings.ToLower(word)]; !twice && len(params) < maxParams {
					params[strings.ToLower(word)] = probes.Clean(value, 200)
				}
				continue
			}
			if len(list) == maxChallenges {
				return list
			}
			list = append(list, probe.Challenge{Scheme: strings.ToLower(word), Params: map[string]string{}})
		}
	}
	return list
}

type scanner struct{ rest string }

func (s *scanner) skip(chars string) { s.rest = strings.TrimLeft(s.rest, chars) }

// token takes what RFC 9110 calls a token.
func (s *scanner) token() string {
	end := 0
	for end < len(s.rest) {
		c := s.rest[end]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			break
		}
		end++
	}
	word := s.rest[:end]
	s.rest = s.rest[end:]
	return word
}

// value takes an equals sign and the token or quoted string after it, or nothing.
func (s *scanner) value() (string, bool) {
	after := strings.TrimLeft(s.rest, " \t")
	if !strings.HasPrefix(after, "=") {
		return "", false
	}
	s.rest = strings.TrimLeft(after[1:], " \t")
	if !strings.HasPrefix(s.rest, `"`) {
		return s.token(), true
	}
	s.rest = s.rest[1:]
	var b strings.Builder
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '"':
			return b.String(), true
		case c == '\\' && s.rest != "":
			c, s.rest = s.rest[0], s.rest[1:]
		}
		b.WriteByte(c)
	}
	return b.String(), true
}
