package web

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

// document is the OpenAPI 3.0.3 description of the API; the tests hold every answer against it.
//
//go:embed openapi.json
var document []byte

func openAPI(a *answer) error {
	if err := a.p.done(); err != nil {
		return err
	}
	a.contentType("application/json")
	_, err := a.Write(document)
	return err
}

// apiRoute is a line of the page about the API.
type apiRoute struct {
	Path, Summary string
	Parameters    []apiParameter
	Example       string
}

type apiParameter struct{ Name, Description string }

// apiRoutes are the document's, for people.
func apiRoutes() []apiRoute {
	type reference struct {
		Ref         string `json:"$ref"`
		Name        string
		Description string
		In          string
	}
	var doc struct {
		Paths map[string]struct {
			Get *struct {
				Summary    string
				Example    string `json:"x-example"`
				Parameters []reference
			}
		}
		Components struct{ Parameters map[string]reference }
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil // a test reads the document
	}
	var out []apiRoute
	for path, one := range doc.Paths {
		if one.Get == nil {
			continue
		}
		r := apiRoute{Path: path, Summary: one.Get.Summary, Example: one.Get.Example}
		for _, p := range one.Get.Parameters {
			if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
				p = doc.Components.Parameters[name]
			}
			r.Parameters = append(r.Parameters, apiParameter{p.Name, p.Description})
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b apiRoute) int { return strings.Compare(a.Path, b.Path) })
	return out
}
