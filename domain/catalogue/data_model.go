package catalogue

import "strata/domain"

// DataModel names what trainings learn from: the shape of a client's data.
type DataModel struct {
	domain.Base
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name." example:"Churn"`
	Description string `json:"description" maxLength:"2000" doc:"What the data is about." example:"Clients, their contracts, and whether they left"`
}

// DataModels is the kind of [DataModel].
var DataModels = &domain.Kind[DataModel]{
	KindSpec: domain.KindSpec{
		Name: "data_model", Plural: "data-models", Prefix: "dm", Tag: "Trainings",
		Doc:    "A data model: what trainings learn from.",
		Search: []string{"name", "description"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/data-models"}, {Mount: "v1", Path: "/data-models"}},
	},
	Example: DataModel{Name: "Churn", Description: "Clients, their contracts, and whether they left"},
}
