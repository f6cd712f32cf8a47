package probes

import (
	"math/big"
	"strings"
)

// Percent returns part of whole in percent, rounded down; 0 when whole is 0.
func Percent(part, whole *big.Rat) int {
	if whole.Sign() == 0 {
		return 0
	}
	q := new(big.Rat).Quo(part, whole)
	q.Mul(q, big.NewRat(100, 1))
	return int(new(big.Int).Quo(q.Num(), q.Denom()).Int64())
}

// FormatRat writes a number exactly: as a decimal where that ends, else as a fraction.
func FormatRat(r *big.Rat) string {
	if r == nil {
		return "0"
	}
	if digits, exact := r.FloatPrec(); exact {
		return r.FloatString(digits)
	}
	return r.RatString()
}

func joinIDs(ids []ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

// ParseRat reads a number exactly: "18", "2.5" or "1/3".
func ParseRat(text string) (*big.Rat, bool) {
	if len(text) > 64 { // an exponent could make it huge
		return nil, false
	}
	if strings.ContainsAny(text, "eExXpP_") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// MustRat reads a number that is known to be one; it panics otherwise.
func MustRat(text string) *big.Rat {
	r, ok := ParseRat(text)
	if !ok {
		panic("not a number: " + text)
	}
	return r
}

// ShortRat writes a number with at most one decimal, rounded down: enough to see, not enough to add up.
func ShortRat(r *big.Rat) string {
	if r == nil {
		return "0"
	}
	tenths := new(big.Int).Quo(new(big.Int).Mul(r.Num(), big.NewInt(10)), r.Denom())
	text := new(big.Rat).SetFrac(tenths, big.NewInt(10)).FloatString(1)
	return strings.TrimSuffix(text, ".0")
}
