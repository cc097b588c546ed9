package store

import "testing"

func TestTenantsPlaceholderIsFound(t *testing.T) {
	for in, want := range map[string]string{
		"SELECT a FROM t WHERE tenant_id=? AND b=?":                                         "SELECT a FROM t WHERE tenant_id=?1 AND b=?",
		"UPDATE t SET a=?, b=? WHERE tenant_id = ? AND c=?":                                 "UPDATE t SET a=?2, b=? WHERE tenant_id = ?1 AND c=?",
		"INSERT INTO t (tenant_id, a) VALUES (?,?)":                                         "INSERT INTO t (tenant_id, a) VALUES (?1,?)",
		"SELECT '?' FROM t x JOIN u y ON 1=1 WHERE x.tenant_id=? AND y.tenant_id=? AND z=?": "SELECT '?' FROM t x JOIN u y ON 1=1 WHERE x.tenant_id=?1 AND y.tenant_id=?1 AND z=?",
		"SELECT a FROM t WHERE tenant_id=?1 AND (b=?2 OR c=?2)":                             "SELECT a FROM t WHERE tenant_id=?1 AND (b=?2 OR c=?2)",
	} {
		if got := checked(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestForgottenTenantPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a query without its tenant must panic")
		}
	}()
	checked("SELECT a FROM t WHERE b=?")
}
