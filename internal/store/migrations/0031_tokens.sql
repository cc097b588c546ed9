-- Access tokens of the targeting API: what signs them, and what is known of each.
-- +goose Up

-- A key that signs tokens. It belongs to the server and to no tenant, so tenant_id
-- is ''. private_key is sealed; public_key is its other half (PKIX, base64). issuer
-- is what its tokens name as theirs. The one that is not retired signs; a retired one
-- verifies until ends_at, when the last token that it signed has ended.
CREATE TABLE signing_key (
  tenant_id TEXT NOT NULL,
  kid TEXT NOT NULL,
  alg TEXT NOT NULL,
  issuer TEXT NOT NULL,
  public_key TEXT NOT NULL,
  private_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  retired_at BIGINT,
  ends_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, kid)
);
CREATE UNIQUE INDEX signing_key_current ON signing_key (tenant_id) WHERE retired_at IS NULL;

-- A token is a key (access_key of the same id: name, scopes, revocation) that a
-- signature proves. assignments are kept as they were given.
CREATE TABLE access_token (
  tenant_id TEXT NOT NULL,
  id TEXT NOT NULL,
  kid TEXT NOT NULL,
  assignments JSON NOT NULL,
  read_only BOOLEAN NOT NULL,
  last4 TEXT NOT NULL,
  made_by TEXT,
  expires_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX access_token_signer ON access_token (kid, expires_at);

-- +goose Down
DROP TABLE access_token;
DROP TABLE signing_key;
