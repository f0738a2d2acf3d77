package main

import "github.com/roster-go/roster"

// Account is the user of this program: the base user and what most programs want to know of people.
type Account struct {
	roster.User
	DisplayName string  `db:"display_name" json:"display_name" roster:"create,update,search,filter,sort"`
	Company     *string `db:"company" json:"company" roster:"create,update,search,filter"`
	Plan        string  `db:"plan" json:"plan" roster:"admin,filter,keep"`
}
