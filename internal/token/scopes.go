package token

import (
	"slices"
	"strings"

	"parley/internal/fault"
)

// Scopes of the targeting API (reference §1.2).
const (
	Read  = Face + ":read"
	Write = Face + ":write"
	Admin = Face + ":admin"
)

// none is the scope of a token that may do nothing: a key without scopes would be
// one with all of them.
const none = Face + ":none"

// every are the scopes of a token that may do everything.
var every = []string{Read, Write, Admin}

// Roles are the assignments that give scopes: each scope by its name, and "admin" for
// all of them (reference §1.2, recommended role sets).
var Roles = map[string][]string{Read: {Read}, Write: {Write}, Admin: {Admin}, "admin": every, Face + ":*": every}

// maxAssignments bounds what is kept of them.
const maxAssignments = 100

// granted returns the scopes of a new token. Faults: Invalid naming "assignments";
// Forbidden with Reason "scope" for what the holder has not.
func (n New) granted() ([]string, error) {
	if len(n.Assignments) > maxAssignments {
		return nil, fault.Field("assignments", "a token has at most %d assignments", maxAssignments)
	}
	for _, a := range n.Assignments {
		if a == "" || len(a) > 200 || strings.ContainsRune(a, 0) {
			return nil, fault.Field("assignments", "an assignment is the name of a role, such as %s", Read)
		}
	}
	var out []string
	switch {
	case n.ReadOnly:
		out = []string{Read}
	case len(n.Assignments) == 0:
		for _, sc := range every {
			if n.By.covers(sc) {
				out = append(out, sc)
			}
		}
	default:
		for _, sc := range every {
			if slices.ContainsFunc(n.Assignments, func(a string) bool { return slices.Contains(Roles[a], sc) }) {
				out = append(out, sc)
			}
		}
	}
	for _, sc := range out {
		if !n.By.covers(sc) {
			return nil, fault.New(fault.Forbidden, "a token cannot make one that may do more than itself: it lacks the scope %s", sc).Because("scope").With("scope", sc)
		}
	}
	if len(out) == 0 {
		out = []string{none}
	}
	return out, nil
}

// covers reports whether a holder has a scope.
func (h Holder) covers(scope string) bool {
	if h.Key.IsZero() {
		return true
	}
	return slices.ContainsFunc(h.Scopes, func(s string) bool {
		head, wild := strings.CutSuffix(s, "*")
		return s == scope || wild && strings.HasPrefix(scope, head)
	})
}

// shown is scopes without the one that stands for none.
func shown(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == none })
}
