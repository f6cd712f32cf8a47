// Package labtest runs real servers on loopback for the end-to-end tests: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, KWOK (nodes and pods
// without containers), MinIO, Velero, Prometheus, Alertmanager and PostgreSQL.
//
// testdata/lab/build.sh builds the servers once into a cache folder outside the
// tree; a lab that was not built fails the test that asks for it, never skips it.
// Every lab has its own ports and its own temporary folder, and its processes die
// with the process that started them, however that one ends. Set
// GONOGO_LAB_KEEP=1 to keep the folder with the logs.
//
//	lab := labtest.Start(t, labtest.Options{Nodes: 3, Velero: true})
//	config := lab.Config(labtest.Viewer)
//
// Start belongs to one test; New and Close are for a TestMain that shares a lab
// between the tests of a package. A Lab may be used by several goroutines.
package labtest
