package httpx

import "strings"

// Allows reports whether the principal's scopes cover scope. A scope ending in
// "*" covers everything that begins with what stands before it: "platform:*"
// covers "platform:crm:read", "*" covers all. The empty scope is always covered.
func (p Principal) Allows(scope string) bool {
	if scope == "" {
		return true
	}
	for _, s := range p.Scopes {
		if s == scope {
			return true
		}
		if head, ok := strings.CutSuffix(s, "*"); ok && strings.HasPrefix(scope, head) {
			return true
		}
	}
	return false
}
