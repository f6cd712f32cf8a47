package state

import "testing"

func TestNetworkFileSystemsAreKnownByTheirNumber(t *testing.T) {
	for magic, want := range map[int64]string{0x6969: "NFS", 0xFF534D42: "SMB", -0xACB2BE: "SMB", 0xEF53: "", 0x01021994: ""} {
		if got := networkName(magic); got != want {
			t.Errorf("%x: %q, want %q", magic, got, want)
		}
	}
}
