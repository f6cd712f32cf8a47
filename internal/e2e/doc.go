// Package e2e holds the end-to-end tests: the built program, as a person or a pipeline runs it, against the real servers of the lab (build
// tag e2e). The lab must have been built (make lab-build); without it the tests fail, they are never skipped.
package e2e
