package state

import "golang.org/x/sys/unix"

// networkFileSystem names the network file system that dir is on, or nothing.
func networkFileSystem(dir string) string {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return ""
	}
	return networkName(int64(fs.Type)) //nolint:unconvert // its width differs between architectures
}

// networkName names a network file system by its magic number.
func networkName(magic int64) string {
	switch uint32(magic) { //nolint:gosec // magic numbers are 32 bits wide, sign-extended on some architectures
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "SMB"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "AFS"
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	}
	return ""
}
