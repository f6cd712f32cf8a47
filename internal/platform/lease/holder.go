package lease

import "strings"

// Holder is the identity of a run: who, which run, and from which folder of runs, so that the same machine can tell whether it is gone.
func Holder(who, run, folder string) string { return who + " (" + run + ") " + folder }

// Who is the part of an identity that is for people.
func Who(holder string) string {
	if at := strings.Index(holder, ") /"); at > 0 {
		return holder[:at+1]
	}
	if at := strings.LastIndex(holder, ") "); at > 0 {
		return holder[:at+1]
	}
	return holder
}

// Run is the run of an identity, if it is of the folder of runs.
func Run(holder, folder string) (string, bool) {
	rest, ok := strings.CutSuffix(holder, ") "+folder)
	at := strings.LastIndexByte(rest, '(')
	if !ok || at < 0 {
		return "", false
	}
	return rest[at+1:], true
}
