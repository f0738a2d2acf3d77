package roster

// Query selects, orders and pages users. The zero Query is the first 20 live users, newest first.
type Query struct {
	// Text is split at white space into at most 10 words, 200 characters in all. Each must be part of the
	// username, e-mail address, phone number or a field tagged "search", whatever its case, or equal the id.
	Text string
	// Filters combine by AND, at most 20.
	Filters []Filter
	// Sort are up to 3 keys; the id is always the last. None: newest first. Users without a value come last.
	Sort []Sort
	// Limit is 1 to 200; 0 means 20.
	Limit int
	// Cursor is Page.Next of the page before; "" starts.
	Cursor string
	// Total asks how many users match in all.
	Total Total
}

// Op compares a field with a value.
type Op string

// The operators; which of them a field takes depends on its type.
const (
	Eq         Op = "eq"
	Ne         Op = "ne"
	In         Op = "in" // 1 to 100 values
	Lt         Op = "lt"
	Lte        Op = "lte"
	Gt         Op = "gt"
	Gte        Op = "gte"
	Contains   Op = "contains"
	StartsWith Op = "starts_with"
	IsNull     Op = "is_null"
)

// Filter is one condition on a field of the base user or on a custom one tagged "filter", by its JSON name.
type Filter struct {
	Field string
	Op    Op
	// Value has the field's type, is a slice of it for In and a bool for IsNull. A Literal is read according to the
	// field; text as JSON decodes it (a number as float64, a time in RFC 3339) fits too.
	Value any
}

// Literal is a value as a query string carries it: plain text for every type, commas between the values of In.
type Literal string

// Sort is one key of an order.
type Sort struct {
	Field      string
	Descending bool
}

// Total says whether a page counts all that match.
type Total string

// The ways to count.
const (
	TotalNone     Total = ""
	TotalExact    Total = "exact"
	TotalEstimate Total = "estimate" // the planner's guess, where the database has one; else exact
)

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  string // the cursor of the page after; "" at the end
	Total *int64 // nil unless asked for
}
