package profile

import (
	"reflect"
	"slices"

	"github.com/254carbon/gonogo/probes"
)

// Declared returns what the profile declares at its top, as checks get it.
func (p *Profile) Declared() probes.Declared {
	var d probes.Declared
	for _, s := range p.Services {
		d.Services = append(d.Services, probes.Service{
			ID: s.ID, Name: s.Name, Kind: s.Workload.Kind, Namespace: s.Workload.Namespace, Workload: s.Workload.Name, Image: s.Image,
			Health: s.Health, Host: s.Host, Protected: s.Protected, Mirror: s.Mirror,
		})
	}
	for _, i := range p.Images {
		d.Images = append(d.Images, probes.Image{Key: i.Key, Source: i.Source, Digest: i.Digest})
	}
	for _, e := range p.Exempt {
		d.Exempt = append(d.Exempt, probes.Exemption{Image: e.Image, Reason: e.Reason})
	}
	return d
}

// Locked returns the profile with the digests of a lock, by source. An image whose digest stands in the profile itself keeps that one.
func (p *Profile) Locked(digests map[string]string) *Profile {
	own := *p
	own.Images = slices.Clone(p.Images)
	for i := range own.Images {
		if image := &own.Images[i]; image.Digest == "" {
			image.Digest = digests[image.Source]
		}
	}
	if p.doc != nil { // a profile that was not read from a text has none
		doc := *p.doc
		doc.Images = own.Images
		own.doc = &doc
	}
	declared := own.Declared()
	own.Components = slices.Clone(p.Components)
	for i := range own.Components {
		own.Components[i].Checks = slices.Clone(p.Components[i].Checks)
		for j := range own.Components[i].Checks {
			redeclare(&own.Components[i].Checks[j], declared)
		}
	}
	return &own
}

// redeclare gives a check parameters of its own that hold what is declared now, if they hold it at all.
func redeclare(c *Check, declared probes.Declared) {
	if _, ok := c.Params.(probes.Declaring); !ok {
		return
	}
	params := reflect.New(reflect.TypeOf(c.Params).Elem())
	params.Elem().Set(reflect.ValueOf(c.Params).Elem())
	c.Params = params.Interface()
	c.Params.(probes.Declaring).Declare(declared)
}
