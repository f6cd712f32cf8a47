//go:build race

package sim_test

// thorough is whether every world is asked everything. The race detector makes each sweep several times as long; what a bad world's own
// checks say is asked under it too, and the rest without it.
const thorough = false
