-- Clients as a department keeps them: tags, notes, owners with history, claims, absences, merges, column maps, and what is
-- left of those who asked to be forgotten.
-- +goose Up

ALTER TABLE "clients" ADD COLUMN "temperature" varchar(10);
UPDATE "clients" SET "temperature" = '';
ALTER TABLE "clients" ALTER COLUMN "temperature" SET NOT NULL;
ALTER TABLE "clients" ADD COLUMN "forgotten_at" timestamptz;
ALTER TABLE "managers" ADD COLUMN "team" varchar(100);
UPDATE "managers" SET "team" = '';
ALTER TABLE "managers" ALTER COLUMN "team" SET NOT NULL;

CREATE TABLE "client_tags" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "tag" varchar(100) NOT NULL,
  "tag_key" varchar(100) NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_tags_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_tags_key" ON "client_tags" ("tag_key");
CREATE UNIQUE INDEX "ux_client_tags_key" ON "client_tags" ("client_id","tag_key");

CREATE TABLE "client_fields" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "name" varchar(200) NOT NULL,
  "value" text NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_fields_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_client_fields_name" ON "client_fields" ("client_id","name");

CREATE TABLE "client_notes" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "author" varchar(320) NOT NULL,
  "text" text NOT NULL,
  "occurred_at" timestamptz NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_notes_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_notes_client" ON "client_notes" ("client_id");

CREATE TABLE "client_owners" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "manager_id" bigint NOT NULL,
  "reason" varchar(20) NOT NULL,
  "comment" text NOT NULL,
  "actor" varchar(320) NOT NULL,
  "since" timestamptz NOT NULL,
  "until" timestamptz,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_owners_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_client_owners_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_client_owners_client" ON "client_owners" ("client_id");
CREATE INDEX "ix_client_owners_manager" ON "client_owners" ("manager_id");
CREATE UNIQUE INDEX "ux_client_owners_open" ON "client_owners" ("client_id") WHERE until IS NULL;

CREATE TABLE "claims" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "manager_id" bigint NOT NULL,
  "actor" varchar(320) NOT NULL,
  "claimed_at" timestamptz NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "ended_at" timestamptz,
  "end_reason" varchar(20) NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_claims_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_claims_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_claims_client" ON "claims" ("client_id");
CREATE INDEX "ix_claims_manager" ON "claims" ("manager_id");
CREATE UNIQUE INDEX "ux_claims_open" ON "claims" ("client_id") WHERE ended_at IS NULL;

CREATE TABLE "absences" (
  "id" bigserial,
  "manager_id" bigint NOT NULL,
  "deputy_id" bigint,
  "starts_at" timestamptz NOT NULL,
  "ends_at" timestamptz NOT NULL,
  "comment" text NOT NULL,
  "actor" varchar(320) NOT NULL,
  "cancelled_at" timestamptz,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_absences_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_absences_deputy" FOREIGN KEY ("deputy_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_absences_manager" ON "absences" ("manager_id");
CREATE INDEX "ix_absences_deputy" ON "absences" ("deputy_id");

CREATE TABLE "client_merges" (
  "id" bigserial,
  "into_id" bigint NOT NULL,
  "from_id" bigint NOT NULL,
  "from_name" varchar(300) NOT NULL,
  "actor" varchar(320) NOT NULL,
  "moved" text NOT NULL,
  "merged_at" timestamptz NOT NULL,
  "undone_at" timestamptz,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_merges_into" FOREIGN KEY ("into_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_merges_into" ON "client_merges" ("into_id");
CREATE INDEX "ix_client_merges_from" ON "client_merges" ("from_id");

CREATE TABLE "column_maps" (
  "id" bigserial,
  "header_key" varchar(64) NOT NULL,
  "titles" text NOT NULL,
  "fields" text NOT NULL,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_column_maps_header" ON "column_maps" ("header_key");

CREATE TABLE "forget_acts" (
  "id" bigserial,
  "number" varchar(60) NOT NULL,
  "client_id" bigint NOT NULL,
  "pseudonym" varchar(300) NOT NULL,
  "categories" text NOT NULL,
  "letters" bigint NOT NULL DEFAULT 0,
  "contacts" bigint NOT NULL DEFAULT 0,
  "notes" bigint NOT NULL DEFAULT 0,
  "deals" bigint NOT NULL DEFAULT 0,
  "file_hash" varchar(64) NOT NULL,
  "actor" varchar(320) NOT NULL,
  "made_at" timestamptz NOT NULL,
  "scrubbed_at" timestamptz,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_forget_acts_number" ON "forget_acts" ("number");
CREATE INDEX "ix_forget_acts_client" ON "forget_acts" ("client_id");

CREATE TABLE "forgotten_values" (
  "id" bigserial,
  "hash" varchar(64) NOT NULL,
  "act_id" bigint NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_forgotten_values_act" FOREIGN KEY ("act_id") REFERENCES "forget_acts"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_forgotten_values_hash" ON "forgotten_values" ("hash");
CREATE INDEX "ix_forgotten_values_act" ON "forgotten_values" ("act_id");

CREATE TABLE "forget_keys" (
  "id" bigserial,
  "key" varchar(64) NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);

-- Owners had no history before: it begins with the client.
INSERT INTO "client_owners" ("client_id", "manager_id", "reason", "comment", "actor", "since")
  SELECT id, owner_id, 'before', '', 'kontrol', created_at FROM "clients" WHERE owner_id IS NOT NULL;
