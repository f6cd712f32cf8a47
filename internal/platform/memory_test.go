package platform

import "testing"

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	for name, m := range map[string]*Memory{"in a folder": {dir: dir}, "in the process": {}} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{"", "once", "twice"} {
				if text != "" {
					if err := m.Remember("a key/with a slash", text); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := m.Recall("a key/with a slash"); err != nil || got != text {
					t.Errorf("%q, %v, want %q", got, err, text)
				}
			}
			if got, err := m.Recall("another"); err != nil || got != "" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	if got, err := (&Memory{dir: dir}).Recall("a key/with a slash"); err != nil || got != "twice" {
		t.Errorf("another process recalls %q, %v", got, err)
	}
}
