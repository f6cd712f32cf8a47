package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// celCost is what one evaluation may cost, in CEL's units: half of what a whole admission policy of Kubernetes may cost, enough to walk all pods
// of a large cluster. Time is bounded by the context besides.
const celCost = 5_000_000

// rule is a compiled expression that says whether something holds.
type rule struct {
	field   string // the parameter it stands in, for errors
	program cel.Program
}

// compile checks and compiles an expression. It may yield a bool, or a string that is empty when all is well and else says what is not.
// Errors name the parameter, the line and the column.
func compile(field, expression string, lists []string, object bool) (*rule, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(), ext.Strings(),
		cel.Variable("objects", cel.ListType(cel.DynType)), cel.Variable("now", cel.TimestampType),
	}
	for _, name := range lists {
		options = append(options, cel.Variable(name, cel.ListType(cel.DynType)))
	}
	if object {
		options = append(options, cel.Variable("object", cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		var all []error
		for _, e := range issues.Errors() {
			all = append(all, fmt.Errorf("%s:%d:%d: %s", field, e.Location.Line(), e.Location.Column()+1, e.Message))
		}
		return nil, errors.Join(all...)
	}
	if out := ast.OutputType(); !slices.ContainsFunc([]*cel.Type{cel.BoolType, cel.StringType, cel.DynType}, out.IsExactType) {
		return nil, fmt.Errorf("%s:1:1: it yields a %s; want a bool, or a string that is empty when all is well", field, out)
	}
	program, err := env.Program(ast, cel.CostLimit(celCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return &rule{field: field, program: program}, nil
}

// holds evaluates the rule; text says what is wrong when it does not hold, if the rule says so.
func (r *rule) holds(ctx context.Context, vars map[string]any) (ok bool, text string, err error) {
	value, _, err := r.program.ContextEval(ctx, vars)
	if err != nil {
		if ctx.Err() != nil {
			return false, "", fmt.Errorf("evaluating %s: %w", r.field, ctx.Err())
		}
		return false, "", fmt.Errorf("evaluating %s: %w", r.field, err)
	}
	switch v := value.(type) {
	case types.Bool:
		return bool(v), "", nil
	case types.String:
		return v == "", string(v), nil
	}
	return false, "", fmt.Errorf("evaluating %s: it yields a %s; want a bool, or a string that is empty when all is well", r.field, value.Type().TypeName())
}

// variables are what every expression sees.
func variables(now time.Time, lists map[string][]any) map[string]any {
	vars := map[string]any{"now": now}
	for name, list := range lists {
		vars[name] = list
	}
	return vars
}
