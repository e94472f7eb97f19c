//go:build race

package dlauth_test

const underRace = true
