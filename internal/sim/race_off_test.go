//go:build !race

package sim_test

// thorough is whether every world is asked everything.
const thorough = true
