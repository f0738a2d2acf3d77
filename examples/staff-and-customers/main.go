// Staff-and-customers is one program with two kinds of users that have nothing to do with each other: their own
// structs, tables, keys and routes, in one process and one database.
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net/http"

	"github.com/jmoiron/sqlx"
	"github.com/labstack/echo/v4"

	"github.com/roster-go/roster"
	"github.com/roster-go/roster/mixins"
	"github.com/roster-go/roster/routes"
	"github.com/roster-go/roster/store"
	"github.com/roster-go/roster/usersrepo"
)

// Employee is somebody on the staff.
type Employee struct {
	roster.User
	Desk string `db:"desk" json:"desk" roster:"admin,search"`
}

// Customer is somebody who buys.
type Customer struct {
	roster.User
	Points int64 `db:"points" json:"points" roster:"admin,filter,sort"`
}

// program is what is served, and by what.
type program struct {
	*echo.Echo
	staff     *usersrepo.UsersRepo[*Employee]
	customers *usersrepo.UsersRepo[*Customer]
}

func newProgram(db *sqlx.DB) (*program, error) {
	staff, err := usersrepo.New[*Employee](usersrepo.Config{
		DB: db, AutoMigrate: true, Development: true,
		Store:   store.Config{UsersTable: "employees", Prefix: "staff_"},
		Account: mixins.AccountConfig{RegistrationClosed: true}, // employees are made by administrators
		Session: mixins.SessionConfig{Audience: "staff"},
	})
	if err != nil {
		return nil, err
	}
	customers, err := usersrepo.New[*Customer](usersrepo.Config{
		DB: db, AutoMigrate: true, Development: true,
		Store:   store.Config{UsersTable: "customers", Prefix: "shop_"},
		Session: mixins.SessionConfig{Audience: "shop"},
	})
	if err != nil {
		return nil, err
	}
	e := echo.New()
	_, shop := routes.User(e.Group("/shop"), customers, routes.Config{})
	_, office := routes.User(e.Group("/staff"), staff, routes.Config{Without: []string{"register"}})
	_, admin := routes.Admin(e.Group("/staff/admin"), staff, routes.Config{})
	// The staff serves the customers: a route of one kind of users over the other.
	e.GET("/staff/customers", func(c echo.Context) error {
		ctx := roster.AsSystem(c.Request().Context())
		page, err := customers.Search(ctx, roster.Query{Text: c.QueryParam("q")})
		if err != nil {
			return err
		}
		names := make([]string, len(page.Items))
		for i, customer := range page.Items {
			names[i] = cmp.Or(customer.DisplayName(), "?")
		}
		return c.JSON(http.StatusOK, map[string]any{"customers": names})
	}, routes.RequirePermission(staff, "customers:read", routes.Config{}))
	return &program{e, staff, customers}, errors.Join(shop, office, admin)
}

func main() {
	db, err := store.Open("sqlite:shop.db")
	if err != nil {
		log.Fatal(err)
	}
	p, err := newProgram(db)
	if err != nil {
		log.Fatal(err)
	}
	// Each has an outbox of its own.
	go func() { log.Fatal(p.staff.Run(context.Background())) }()
	go func() { log.Fatal(p.customers.Run(context.Background())) }()
	log.Fatal(p.Start("127.0.0.1:8080"))
}
