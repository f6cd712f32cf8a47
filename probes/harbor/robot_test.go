package harbor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	sim "github.com/254carbon/gonogo/internal/sim/harbor"
	"github.com/254carbon/gonogo/probes"
	"github.com/254carbon/gonogo/probes/harbor"
	"github.com/254carbon/gonogo/probes/probetest"
)

func (w *world) robot(change ...func(*harbor.RobotParams)) probes.Probe {
	p := harbor.RobotParams{Project: sim.PlatformProject, Robot: sim.MirrorRobot, MinDays: 14}
	for _, c := range change {
		c(&p)
	}
	return harbor.NewRobot(w.client, w.client, p, clock)
}

func TestRobot(t *testing.T) {
	with := func(change ...func(*world)) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe { return newWorld(t, change...).robot() }
	}
	mirror := func(change func(*sim.Robot)) func(*testing.T) probes.Probe {
		return with(state(func(s *sim.State) { change(s.Robot(sim.MirrorRobot)) }))
	}
	// without takes one right of gonogo's own credential away.
	without := func(right string) func(*testing.T) probes.Probe {
		return with(state(func(s *sim.State) {
			reader := s.Robot(sim.ReaderRobot)
			for i := range reader.Permissions {
				var rest []sim.Access
				for _, a := range reader.Permissions[i].Access {
					if a.Resource+":"+a.Action != right {
						rest = append(rest, a)
					}
				}
				reader.Permissions[i].Access = rest
			}
		}))
	}
	worlds := []probetest.World{
		{
			Name: "the documented platform", Want: probes.Fail, Says: []string{"there is no robot account robot$254carbon+mirror"}, Shows: []string{"/api/v2.0/robots"},
			New: with(state(func(s *sim.State) { *s = sim.Documented(noon, sim.DemoAccounts()) })),
		},
		{
			Name: "no project", Want: probes.Fail, Says: []string{"project 254carbon does not exist"},
			New: with(state(func(s *sim.State) { s.Project(sim.PlatformProject).Name = "old" })),
		},
		{
			Name: "fourteen days to the second", Want: probes.Pass, Says: []string{"in 14 days"},
			New: mirror(func(r *sim.Robot) { r.Expires = noon.AddDate(0, 0, 14).Unix() }),
		},
		{
			Name: "a second less", Want: probes.Fail, Says: []string{"expires on 2025-11-03", "in 13 days"},
			New: mirror(func(r *sim.Robot) { r.Expires = noon.AddDate(0, 0, 14).Unix() - 1 }),
		},
		{Name: "never", Want: probes.Pass, Says: []string{"never expires"}, New: mirror(func(r *sim.Robot) { r.Expires = -1 })},
		{
			Name: "a right that is denied", Want: probes.Fail, Says: []string{"may not push", "only pull"},
			New: mirror(func(r *sim.Robot) {
				r.Permissions[0].Access = append(r.Permissions[0].Access, sim.Access{Resource: "repository", Action: "push", Effect: "deny"})
			}),
		},
		{
			Name: "everything that is wrong at once", Want: probes.Fail, Says: []string{"is disabled", "expired on 2025-10-19", "do nothing there", "quota"},
			New: with(state(func(s *sim.State) {
				r := s.Robot(sim.MirrorRobot)
				r.Disabled, r.Expires, r.Permissions = true, noon.AddDate(0, 0, -1).Unix(), nil
				q := s.Quota(sim.PlatformProject)
				q.Hard, q.Used = 1<<30, 2<<30
			})),
		},
		{
			Name: "room is reported", Want: probes.Pass, Says: []string{"1.5 GiB of 2 GiB left"},
			New: with(state(func(s *sim.State) {
				q := s.Quota(sim.PlatformProject)
				q.Hard, q.Used = 2<<30, 1<<29
			})),
		},
		{
			Name: "a robot of the system", Want: probes.Pass, Says: []string{"robot$gonogo may push"},
			New: func(t *testing.T) probes.Probe {
				return newWorld(t).robot(func(p *harbor.RobotParams) { p.Robot = sim.PlatformRobot })
			},
		},
		{
			Name: "wanting, and the quota may not be read", Want: probes.Fail, Says: []string{"is disabled"},
			New: func(t *testing.T) probes.Probe {
				w := newWorld(t, state(func(s *sim.State) { s.Robot(sim.MirrorRobot).Disabled = true }))
				return w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/quotas") {
						answer(500, "application/json", "{}")(rw, r)
						return
					}
					w.server.ServeHTTP(rw, r)
				})).robot()
			},
		},
	}
	quota := func(body string) func(*testing.T) probes.Probe {
		return func(t *testing.T) probes.Probe {
			w := newWorld(t)
			return w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/quotas") {
					answer(200, "application/json", body)(rw, r)
					return
				}
				w.server.ServeHTTP(rw, r)
			})).robot()
		}
	}
	errs := append(failures(func(w *world) probes.Probe { return w.robot() }),
		probetest.Failure{
			Name: "gonogo's own credential is refused", Says: []string{"gonogo's reading credential for Harbor was refused (401)", "project:read"},
			New: with(func(w *world) { w.reader.Password = mistaken }),
		},
		probetest.Failure{Name: "gonogo has no credential", Says: []string{"no reading credential", "project:read"}, New: with(func(w *world) { w.anon = true })},
		probetest.Failure{Name: "robots may not be listed", Says: []string{"refused (403)", "robot:list"}, New: without("robot:list")},
		probetest.Failure{Name: "the quota may not be read", Says: []string{"refused (403)", "quota:list"}, New: without("quota:list")},
		probetest.Failure{Name: "no quota is listed", Says: []string{"no quota of the project"}, New: quota(`[]`)},
		probetest.Failure{Name: "the quota of another project", Says: []string{"no quota of the project"}, New: quota(`[{"ref":{"id":99},"hard":{"storage":1},"used":{"storage":0}}]`)},
		probetest.Failure{Name: "a quota of something else", Says: []string{"nothing of storage"}, New: quota(`[{"ref":{"id":4},"hard":{"count":1},"used":{}}]`)},
		probetest.Failure{Name: "a quota of another type", Says: []string{"quota"}, New: quota(`[{"ref":"x","hard":{"storage":"much"}}]`)},
	)
	probetest.Suite{
		New:    with(),
		Worlds: append(worlds, mutated("harbor-robot", func(w *world) probes.Probe { return w.robot() })...), Errors: errs,
		Secrets: append(passwords(), mistaken), Hanging: func(t *testing.T) probes.Probe { return hanging(t).robot() },
	}.Run(t)
}

func TestRobotParams(t *testing.T) {
	for _, test := range []struct {
		robot string
		good  bool
	}{
		{"robot$254carbon+mirror", true}, {"robot$mirror", true}, {"bot-254carbon+mirror", true}, {"robot$254carbon+a.b-c_d", true},
		{"", false}, {"mirror", false}, {"robot$", false}, {"robot$other+mirror", false}, {"robot$254carbon+Mirror", false}, {"robot$a:b", false},
		{"robot$254carbon+mirror\n", false},
	} {
		p := harbor.RobotParams{Project: sim.PlatformProject, Robot: test.robot, MinDays: 14}
		if err := p.Validate(); (err == nil) != test.good {
			t.Errorf("%q: %v", test.robot, err)
		}
	}
	if (harbor.RobotParams{Project: "254carbon", Robot: "robot$a", MinDays: -1}).Validate() == nil || (harbor.RobotParams{Project: "A/b", Robot: "robot$a"}).Validate() == nil {
		t.Error("parameters that make no sense were accepted")
	}
	if k := harbor.RobotKind(); k.Params().(*harbor.RobotParams).MinDays != 14 || k.Every != 15*time.Minute {
		t.Errorf("kind %+v", k)
	}
}
