package tenant

import "parley/internal/id"

// MAC authenticates a text of a tenant for one purpose, such as a link to a
// file: all nodes of a server make the same one, and nobody else can.
func (s *Service) MAC(tenant id.ID, purpose, text string) []byte {
	return s.box.MAC(purpose, tenant.String()+"\x00"+text)
}
