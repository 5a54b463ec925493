-- Clients as a department keeps them: tags, notes, owners with history, claims, absences, merges, column maps, and what is
-- left of those who asked to be forgotten.
-- +goose Up

ALTER TABLE "clients" ADD COLUMN "temperature" text;
UPDATE "clients" SET "temperature" = '';
ALTER TABLE "clients" ALTER COLUMN "temperature" SET NOT NULL;
ALTER TABLE "clients" ADD COLUMN "forgotten_at" datetime;
ALTER TABLE "managers" ADD COLUMN "team" text;
UPDATE "managers" SET "team" = '';
ALTER TABLE "managers" ALTER COLUMN "team" SET NOT NULL;

CREATE TABLE "client_tags" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "tag" text NOT NULL,
  "tag_key" text NOT NULL,
  "created_at" datetime NOT NULL,
  CONSTRAINT "fk_client_tags_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_tags_key" ON "client_tags" ("tag_key");
CREATE UNIQUE INDEX "ux_client_tags_key" ON "client_tags" ("client_id","tag_key");

CREATE TABLE "client_fields" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "name" text NOT NULL,
  "value" text NOT NULL,
  CONSTRAINT "fk_client_fields_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_client_fields_name" ON "client_fields" ("client_id","name");

CREATE TABLE "client_notes" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "author" text NOT NULL,
  "text" text NOT NULL,
  "occurred_at" datetime NOT NULL,
  "created_at" datetime NOT NULL,
  CONSTRAINT "fk_client_notes_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_notes_client" ON "client_notes" ("client_id");

CREATE TABLE "client_owners" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "manager_id" integer NOT NULL,
  "reason" text NOT NULL,
  "comment" text NOT NULL,
  "actor" text NOT NULL,
  "since" datetime NOT NULL,
  "until" datetime,
  CONSTRAINT "fk_client_owners_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_client_owners_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_client_owners_client" ON "client_owners" ("client_id");
CREATE INDEX "ix_client_owners_manager" ON "client_owners" ("manager_id");
CREATE UNIQUE INDEX "ux_client_owners_open" ON "client_owners" ("client_id") WHERE until IS NULL;

CREATE TABLE "claims" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "manager_id" integer NOT NULL,
  "actor" text NOT NULL,
  "claimed_at" datetime NOT NULL,
  "expires_at" datetime NOT NULL,
  "ended_at" datetime,
  "end_reason" text NOT NULL,
  CONSTRAINT "fk_claims_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_claims_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_claims_client" ON "claims" ("client_id");
CREATE INDEX "ix_claims_manager" ON "claims" ("manager_id");
CREATE UNIQUE INDEX "ux_claims_open" ON "claims" ("client_id") WHERE ended_at IS NULL;

CREATE TABLE "absences" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "manager_id" integer NOT NULL,
  "deputy_id" integer,
  "starts_at" datetime NOT NULL,
  "ends_at" datetime NOT NULL,
  "comment" text NOT NULL,
  "actor" text NOT NULL,
  "cancelled_at" datetime,
  "created_at" datetime NOT NULL,
  CONSTRAINT "fk_absences_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_absences_deputy" FOREIGN KEY ("deputy_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_absences_manager" ON "absences" ("manager_id");
CREATE INDEX "ix_absences_deputy" ON "absences" ("deputy_id");

CREATE TABLE "client_merges" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "into_id" integer NOT NULL,
  "from_id" integer NOT NULL,
  "from_name" text NOT NULL,
  "actor" text NOT NULL,
  "moved" text NOT NULL,
  "merged_at" datetime NOT NULL,
  "undone_at" datetime,
  CONSTRAINT "fk_client_merges_into" FOREIGN KEY ("into_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_client_merges_into" ON "client_merges" ("into_id");
CREATE INDEX "ix_client_merges_from" ON "client_merges" ("from_id");

CREATE TABLE "column_maps" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "header_key" text NOT NULL,
  "titles" text NOT NULL,
  "fields" text NOT NULL,
  "actor" text NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL
);
CREATE UNIQUE INDEX "ux_column_maps_header" ON "column_maps" ("header_key");

CREATE TABLE "forget_acts" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "number" text NOT NULL,
  "client_id" integer NOT NULL,
  "pseudonym" text NOT NULL,
  "categories" text NOT NULL,
  "letters" integer NOT NULL DEFAULT 0,
  "contacts" integer NOT NULL DEFAULT 0,
  "notes" integer NOT NULL DEFAULT 0,
  "deals" integer NOT NULL DEFAULT 0,
  "file_hash" text NOT NULL,
  "actor" text NOT NULL,
  "made_at" datetime NOT NULL,
  "scrubbed_at" datetime
);
CREATE UNIQUE INDEX "ux_forget_acts_number" ON "forget_acts" ("number");
CREATE INDEX "ix_forget_acts_client" ON "forget_acts" ("client_id");

CREATE TABLE "forgotten_values" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "hash" text NOT NULL,
  "act_id" integer NOT NULL,
  "created_at" datetime NOT NULL,
  CONSTRAINT "fk_forgotten_values_act" FOREIGN KEY ("act_id") REFERENCES "forget_acts"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_forgotten_values_hash" ON "forgotten_values" ("hash");
CREATE INDEX "ix_forgotten_values_act" ON "forgotten_values" ("act_id");

CREATE TABLE "forget_keys" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "key" text NOT NULL,
  "created_at" datetime NOT NULL
);

-- Owners had no history before: it begins with the client.
INSERT INTO "client_owners" ("client_id", "manager_id", "reason", "comment", "actor", "since")
  SELECT id, owner_id, 'before', '', 'kontrol', created_at FROM "clients" WHERE owner_id IS NOT NULL;
