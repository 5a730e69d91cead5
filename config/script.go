package config

// ScriptVariables is what a shell would export that reads these files in their order,
// with nothing exported before: every assignment, known to us or not. Files after the
// first need not be there.
func ScriptVariables(files ...string) (map[string]string, error) {
	o := Options{}
	all, mistakes := o.readAll(files)
	variables := make(map[string]string)
	for _, a := range all {
		variables[a.Name] = a.Value
	}
	return variables, join(mistakes)
}
