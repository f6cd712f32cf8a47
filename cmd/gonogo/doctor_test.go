package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDoctorExitsAsItFinds(t *testing.T) {
	if code, out, errs := demo(t, "documented", "doctor"); code != exitOK || !strings.Contains(out, "Everything that the profile relies on works.") {
		t.Errorf("a platform that works: exit %d\n%s%s", code, out, errs)
	}
	code, out, _ := demo(t, "documented", "doctor", "-o", "json", "--demo-fault", "harbor=down", "--read-only")
	var report struct {
		Schema   string
		Usable   bool
		Findings []struct{ Area, Subject, State, Text, Do string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 || report.Usable || report.Schema != "gonogo.doctor/v1" {
		t.Fatalf("exit %d, usable %t, schema %q, %v", code, report.Usable, report.Schema, err)
	}
	for _, f := range report.Findings {
		if bad := f.State == "wrong" || f.State == "missing"; bad != (f.Area == "harbor" && f.Subject == "connection") {
			t.Errorf("with Harbor down: %+v", f)
		}
	}
	if code, _, errs := demo(t, "documented", "doctor", "-o", "yaml"); code != exitUsage || !strings.Contains(errs, "use text or json") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
