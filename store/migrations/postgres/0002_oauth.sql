-- Tokens with which mailboxes are logged in to by OAuth2.
-- +goose Up

CREATE TABLE "oauth_tokens" (
  "id" bigserial,
  "address" varchar(320) NOT NULL,
  "provider" varchar(40) NOT NULL,
  "client_id" varchar(400) NOT NULL,
  "account" varchar(320) NOT NULL,
  "scopes" text NOT NULL,
  "refresh" text NOT NULL,
  "access" text NOT NULL,
  "issued_at" timestamptz,
  "expires_at" timestamptz,
  "generation" bigint NOT NULL DEFAULT 1,
  "granted_at" timestamptz NOT NULL,
  "refused_at" timestamptz,
  "holder" varchar(80) NOT NULL,
  "held_until" timestamptz,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_oauth_tokens_address" ON "oauth_tokens" ("address");
