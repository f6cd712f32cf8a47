package certificates

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestWhatIsServedBesidesEndsNothing(t *testing.T) {
	at := func(days int) *x509.Certificate {
		return &x509.Certificate{NotAfter: time.Date(2025, 10, 20, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days)}
	}
	leaf, inner, crossed, root := at(60), at(400), at(-1000), at(3000)
	for name, row := range map[string]struct {
		chain Chain
		want  *x509.Certificate
	}{
		"an old cross-signature besides": {Chain{Certificates: []*x509.Certificate{leaf, inner, crossed}, Ways: [][]*x509.Certificate{{leaf, inner, root}}}, leaf},
		"two ways":                       {Chain{Certificates: []*x509.Certificate{leaf, inner}, Ways: [][]*x509.Certificate{{leaf, at(5), root}, {leaf, inner, root}}}, leaf},
		"an issuer that ends first":      {Chain{Certificates: []*x509.Certificate{at(60), at(10)}, Ways: [][]*x509.Certificate{{at(60), at(10), root}}}, at(10)},
		"not to be relied on":            {Chain{Certificates: []*x509.Certificate{leaf, crossed}}, crossed},
	} {
		if got := row.chain.until(); !got.Equal(row.want.NotAfter) {
			t.Errorf("%s: until %s, want %s", name, got, row.want.NotAfter)
		}
	}
}
