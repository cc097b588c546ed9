package access

import (
	"parley/internal/fault"
	"parley/internal/secret"
)

// Operator knows the token of whoever runs the server: the one who makes tenants
// and keys over the network. The zero Operator lets nobody in.
type Operator struct{ hash string }

// NewOperator returns the operator with a token; "" lets nobody in.
func NewOperator(token string) Operator {
	if token == "" {
		return Operator{}
	}
	return Operator{hash: secret.Hash(token)}
}

// Check is nil for the operator's token and Unauthorized for any other, compared
// in constant time.
func (o Operator) Check(token string) error {
	switch {
	case o.hash == "":
		return fault.New(fault.Unauthorized, "this server has no operator token, so nobody may do this over the network; start it with PARLEY_ADMIN_TOKEN, or use the parley command on the server")
	case token == "" || len(token) > 1000 || !secret.Equal(secret.Hash(token), o.hash):
		return fault.New(fault.Unauthorized, "send the operator's token as Authorization: Bearer or x-core-api-key")
	}
	return nil
}
