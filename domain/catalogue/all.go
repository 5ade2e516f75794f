// Package catalogue lists the plain resources of Strata, one file each. [All]
// is the one reviewed list that routes, events, permissions, projections and
// documentation are made from: adding a resource is adding a file and a line.
package catalogue

import "strata/domain"

// All returns every plain kind.
func All() []domain.AnyKind {
	return []domain.AnyKind{
		ActionGroups,
		Actions,
		Agents,
		Apps,
		Benchmarks,
		DataModels,
		Experts,
		MCPServers,
		MemoryProviders,
		ModelRoutes,
		Personas,
		Prompts,
		Providers,
		RAGEndpoints,
		Workflows,
	}
}

// Specs returns the untyped part of every kind.
func Specs() []*domain.KindSpec {
	var out []*domain.KindSpec
	for _, k := range All() {
		out = append(out, k.Spec())
	}
	return out
}

// FactTypes lists the facts of all kinds for the codec.
func FactTypes() []domain.FactType {
	var out []domain.FactType
	for _, k := range All() {
		out = append(out, domain.KindFactTypes(k.Spec().Name)...)
	}
	return out
}
