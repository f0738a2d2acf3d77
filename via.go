package roster

// Via tells by which way a user was made or got in.
type Via string

// The ways. Users are made by signup, admin, import, cli, app (a Go call) and social, and deleted by admin, cli, app and
// self (their own Close); they get in by password, code, social, signup and app.
const (
	ViaSignup   Via = "signup"
	ViaAdmin    Via = "admin"
	ViaImport   Via = "import"
	ViaCLI      Via = "cli"
	ViaApp      Via = "app"
	ViaSocial   Via = "social"
	ViaSelf     Via = "self"
	ViaPassword Via = "password"
	ViaCode     Via = "code"
)
