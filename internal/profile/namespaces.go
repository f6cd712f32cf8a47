package profile

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Namespaces lists the namespaces that the profile names: of its services, and in the parameters of its checks. They are what is read where
// the credential may not read all of them.
func (p *Profile) Namespaces() []string {
	found := map[string]bool{}
	for _, s := range p.Services {
		found[s.Workload.Namespace] = true
	}
	for _, c := range p.Checks() {
		collectNamespaces(reflect.ValueOf(c.Params), found)
	}
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

// collectNamespaces finds the values of every parameter called namespace or namespaces.
func collectNamespaces(v reflect.Value, found map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collectNamespaces(v.Elem(), found)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collectNamespaces(v.Index(i), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			field := v.Field(i)
			switch {
			case name == "namespace" && field.Kind() == reflect.String:
				found[field.String()] = true
			case name == "namespaces" && field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.String:
				for n := range field.Len() {
					found[field.Index(n).String()] = true
				}
			default:
				collectNamespaces(field, found)
			}
		}
	}
}
