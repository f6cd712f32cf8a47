package sim

import (
	"bytes"
	"compress/gzip"

	"github.com/254carbon/gonogo/internal/sim/world"
)

// veleroLog is what is behind the addresses that the simulated Velero signs.
func (s *Sim) veleroLog(path, query string) ([]byte, bool) {
	text, ok := world.VeleroLog(s.Kube, path)
	if !ok || query != world.Signature {
		return nil, false
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write([]byte(text))
	if closed := w.Close(); err != nil || closed != nil {
		return nil, false
	}
	return zipped.Bytes(), true
}
