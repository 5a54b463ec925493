-- Tokens with which mailboxes are logged in to by OAuth2.
-- +goose Up

CREATE TABLE "oauth_tokens" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "address" text NOT NULL,
  "provider" text NOT NULL,
  "client_id" text NOT NULL,
  "account" text NOT NULL,
  "scopes" text NOT NULL,
  "refresh" text NOT NULL,
  "access" text NOT NULL,
  "issued_at" datetime,
  "expires_at" datetime,
  "generation" integer NOT NULL DEFAULT 1,
  "granted_at" datetime NOT NULL,
  "refused_at" datetime,
  "holder" text NOT NULL,
  "held_until" datetime,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL
);
CREATE UNIQUE INDEX "ux_oauth_tokens_address" ON "oauth_tokens"("address");
