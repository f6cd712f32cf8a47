package doctor

import (
	"reflect"
	"strings"
)

// walk visits every value within a parameter struct or a connection, with the name that it has in a profile.
func walk(root any, visit func(name string, value any)) { walkValue(reflect.ValueOf(root), "", visit) }

func walkValue(v reflect.Value, name string, visit func(string, any)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walkValue(v.Elem(), name, visit)
		}
		return
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walkValue(v.Index(i), name, visit)
		}
		return
	case reflect.Map:
		for _, key := range v.MapKeys() {
			walkValue(v.MapIndex(key), name, visit)
		}
		return
	}
	if !v.IsValid() || !v.CanInterface() {
		return
	}
	visit(name, v.Interface())
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		own, rest, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if own == "" && !strings.Contains(rest, "inline") {
			own = name
		}
		walkValue(v.Field(i), own, visit)
	}
}
