-- The first version: people, mailboxes, letters and where they lie, clients and deals, the journal of moves, decisions,
-- events. Frozen: whatever changes later goes into a migration of its own.
-- +goose Up

CREATE TABLE "managers" (
  "id" bigserial,
  "name" varchar(200) NOT NULL,
  "email" varchar(320) NOT NULL,
  "role" varchar(20) NOT NULL,
  "timezone" varchar(60) NOT NULL,
  "active" boolean NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_managers_email" ON "managers" ("email");

CREATE TABLE "mailboxes" (
  "id" bigserial,
  "address" varchar(320) NOT NULL,
  "kind" varchar(20) NOT NULL,
  "manager_id" bigint,
  "aliases" text NOT NULL,
  "state" varchar(20) NOT NULL,
  "state_reason" text NOT NULL,
  "login_refusals" bigint NOT NULL DEFAULT 0,
  "connected" boolean NOT NULL DEFAULT false,
  "synced_at" timestamptz,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_mailboxes_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_mailboxes_manager" ON "mailboxes" ("manager_id");
CREATE UNIQUE INDEX "ux_mailboxes_address" ON "mailboxes" ("address");

CREATE TABLE "folders" (
  "id" bigserial,
  "mailbox_id" bigint NOT NULL,
  "role" varchar(20) NOT NULL,
  "name" varchar(500) NOT NULL,
  "delimiter" varchar(4) NOT NULL,
  "uid_validity" bigint NOT NULL DEFAULT 0,
  "last_uid" bigint NOT NULL DEFAULT 0,
  "first_uid" bigint NOT NULL DEFAULT 0,
  "mod_seq" bigint NOT NULL DEFAULT 0,
  "read_only" boolean NOT NULL DEFAULT false,
  "synced_at" timestamptz,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_folders_mailbox" FOREIGN KEY ("mailbox_id") REFERENCES "mailboxes"("id") ON DELETE RESTRICT
);
CREATE UNIQUE INDEX "ux_folders_mailbox_role" ON "folders" ("mailbox_id","role");

CREATE TABLE "quarantines" (
  "id" bigserial,
  "mailbox_id" bigint NOT NULL,
  "folder_id" bigint NOT NULL,
  "uid_validity" bigint NOT NULL,
  "uid" bigint NOT NULL,
  "reason" text NOT NULL,
  "attempts" bigint NOT NULL DEFAULT 1,
  "resolved_at" timestamptz,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_quarantines_uid" ON "quarantines" ("folder_id","uid_validity","uid");
CREATE INDEX "ix_quarantines_mailbox" ON "quarantines" ("mailbox_id");

CREATE TABLE "threads" (
  "id" bigserial,
  "base_subject" text NOT NULL,
  "last_at" timestamptz NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);

CREATE TABLE "letters" (
  "id" bigserial,
  "fingerprint" varchar(64) NOT NULL,
  "message_id" text NOT NULL,
  "thread_id" bigint NOT NULL,
  "direction" varchar(20) NOT NULL,
  "class" varchar(20) NOT NULL,
  "from_address" varchar(320) NOT NULL,
  "from_name" text NOT NULL,
  "reply_to" text NOT NULL,
  "to" text NOT NULL,
  "cc" text NOT NULL,
  "subject" text NOT NULL,
  "base_subject" text NOT NULL,
  "date" timestamptz,
  "arrived_at" timestamptz NOT NULL,
  "size" bigint NOT NULL DEFAULT 0,
  "text" text NOT NULL,
  "class_reason" text NOT NULL,
  "problems" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_letters_thread" FOREIGN KEY ("thread_id") REFERENCES "threads"("id") ON DELETE RESTRICT
);
-- hash: a forged Message-ID or subject may be longer than a btree takes
CREATE INDEX "ix_letters_base_subject" ON "letters" USING hash ("base_subject");
CREATE INDEX "ix_letters_arrived" ON "letters" ("arrived_at");
CREATE INDEX "ix_letters_from" ON "letters" ("from_address");
CREATE INDEX "ix_letters_thread" ON "letters" ("thread_id");
-- hash: a forged Message-ID or subject may be longer than a btree takes
CREATE INDEX "ix_letters_message_id" ON "letters" USING hash ("message_id");
CREATE UNIQUE INDEX "ux_letters_fingerprint" ON "letters" ("fingerprint");

CREATE TABLE "letter_references" (
  "id" bigserial,
  "letter_id" bigint NOT NULL,
  "position" bigint NOT NULL,
  "message_id" text NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_letter_references_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE
);
-- hash: a forged Message-ID or subject may be longer than a btree takes
CREATE INDEX "ix_references_message_id" ON "letter_references" USING hash ("message_id");
CREATE UNIQUE INDEX "ux_references_letter" ON "letter_references" ("letter_id","position");

CREATE TABLE "locations" (
  "id" bigserial,
  "letter_id" bigint NOT NULL,
  "mailbox_id" bigint NOT NULL,
  "folder_id" bigint NOT NULL,
  "uid_validity" bigint NOT NULL,
  "uid" bigint NOT NULL,
  "flags" text NOT NULL,
  "internal_date" timestamptz,
  "size" bigint NOT NULL DEFAULT 0,
  "header_hash" varchar(64) NOT NULL,
  "hands_off" boolean NOT NULL DEFAULT false,
  "first_look" boolean NOT NULL DEFAULT false,
  "seen_at" timestamptz NOT NULL,
  "gone_at" timestamptz,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_locations_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_locations_folder" FOREIGN KEY ("folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_locations_gone" ON "locations" ("gone_at");
CREATE UNIQUE INDEX "ux_locations_uid" ON "locations" ("folder_id","uid_validity","uid");
CREATE INDEX "ix_locations_mailbox" ON "locations" ("mailbox_id");
CREATE INDEX "ix_locations_letter" ON "locations" ("letter_id");

CREATE TABLE "clients" (
  "id" bigserial,
  "name" varchar(300) NOT NULL,
  "name_key" varchar(300) NOT NULL,
  "inn" varchar(12),
  "kpp" varchar(9) NOT NULL,
  "owner_id" bigint,
  "comment" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_clients_owner" FOREIGN KEY ("owner_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_clients_owner" ON "clients" ("owner_id");
CREATE UNIQUE INDEX "ux_clients_inn" ON "clients" ("inn");
CREATE INDEX "ix_clients_name_key" ON "clients" ("name_key");

CREATE TABLE "client_domains" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "domain" varchar(255) NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_client_domains_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_client_domains_domain" ON "client_domains" ("domain");
CREATE INDEX "ix_client_domains_client" ON "client_domains" ("client_id");

CREATE TABLE "contacts" (
  "id" bigserial,
  "client_id" bigint NOT NULL,
  "name" varchar(300) NOT NULL,
  "position" varchar(200) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_contacts_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_contacts_client" ON "contacts" ("client_id");

CREATE TABLE "contact_points" (
  "id" bigserial,
  "contact_id" bigint NOT NULL,
  "kind" varchar(20) NOT NULL,
  "value" varchar(320) NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_contact_points_contact" FOREIGN KEY ("contact_id") REFERENCES "contacts"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_contact_points_value" ON "contact_points" ("kind","value");
CREATE INDEX "ix_contact_points_contact" ON "contact_points" ("contact_id");

CREATE TABLE "stages" (
  "code" varchar(40),
  "name" varchar(100) NOT NULL,
  "position" bigint NOT NULL,
  "kind" varchar(10) NOT NULL,
  "outstanding" boolean NOT NULL DEFAULT false,
  PRIMARY KEY ("code")
);

CREATE TABLE "deals" (
  "id" bigserial,
  "number" bigint NOT NULL,
  "client_id" bigint NOT NULL,
  "owner_id" bigint,
  "title" varchar(300) NOT NULL,
  "stage_code" varchar(40) NOT NULL,
  "amount_minor" bigint NOT NULL DEFAULT 0,
  "amount_currency" varchar(3) NOT NULL,
  "next_action" text NOT NULL,
  "next_action_at" timestamptz,
  "lost_reason" varchar(200) NOT NULL,
  "closed_at" timestamptz,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_deals_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_deals_owner" FOREIGN KEY ("owner_id") REFERENCES "managers"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_deals_stage" FOREIGN KEY ("stage_code") REFERENCES "stages"("code") ON DELETE RESTRICT
);
CREATE INDEX "ix_deals_stage" ON "deals" ("stage_code");
CREATE INDEX "ix_deals_owner" ON "deals" ("owner_id");
CREATE INDEX "ix_deals_client" ON "deals" ("client_id");
CREATE UNIQUE INDEX "ux_deals_number" ON "deals" ("number");

CREATE TABLE "stage_changes" (
  "id" bigserial,
  "deal_id" bigint NOT NULL,
  "from_code" varchar(40) NOT NULL,
  "to_code" varchar(40) NOT NULL,
  "actor" varchar(320) NOT NULL,
  "reason" text NOT NULL,
  "occurred_at" timestamptz NOT NULL,
  "recorded_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_stage_changes_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_stage_changes_deal" ON "stage_changes" ("deal_id");

CREATE TABLE "links" (
  "id" bigserial,
  "letter_id" bigint NOT NULL,
  "client_id" bigint NOT NULL,
  "deal_id" bigint,
  "method" varchar(20) NOT NULL,
  "evidence" text NOT NULL,
  "ask" boolean NOT NULL DEFAULT false,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "superseded_at" timestamptz,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_links_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_links_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_links_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_links_deal" ON "links" ("deal_id");
CREATE INDEX "ix_links_client" ON "links" ("client_id");
CREATE UNIQUE INDEX "ux_links_current" ON "links" ("letter_id","client_id") WHERE superseded_at IS NULL;
CREATE INDEX "ix_links_letter" ON "links" ("letter_id");

CREATE TABLE "filings" (
  "id" bigserial,
  "mailbox_id" bigint NOT NULL,
  "letter_id" bigint NOT NULL,
  "location_id" bigint NOT NULL,
  "generation" bigint NOT NULL DEFAULT 1,
  "source_folder_id" bigint NOT NULL,
  "source_uid_validity" bigint NOT NULL,
  "source_uid" bigint NOT NULL,
  "header_hash" varchar(64) NOT NULL,
  "size" bigint NOT NULL DEFAULT 0,
  "target_folder_id" bigint NOT NULL,
  "state" varchar(20) NOT NULL,
  "dest_uid_validity" bigint NOT NULL DEFAULT 0,
  "dest_uid_next" bigint NOT NULL DEFAULT 0,
  "dest_uid" bigint NOT NULL DEFAULT 0,
  "decision_id" bigint,
  "attempts" bigint NOT NULL DEFAULT 0,
  "last_error" text NOT NULL,
  "reason" text NOT NULL,
  "next_attempt_at" timestamptz,
  "planned_at" timestamptz NOT NULL,
  "sent_at" timestamptz,
  "finished_at" timestamptz,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_filings_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_location" FOREIGN KEY ("location_id") REFERENCES "locations"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_source_folder" FOREIGN KEY ("source_folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_target_folder" FOREIGN KEY ("target_folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT
);
CREATE UNIQUE INDEX "ux_filings_open" ON "filings" ("location_id") WHERE finished_at IS NULL;
CREATE UNIQUE INDEX "ux_filings_location" ON "filings" ("location_id","generation");
CREATE INDEX "ix_filings_letter" ON "filings" ("letter_id");
CREATE INDEX "ix_filings_mailbox_state" ON "filings" ("mailbox_id","state");

CREATE TABLE "decisions" (
  "id" bigserial,
  "letter_id" bigint NOT NULL,
  "location_id" bigint NOT NULL,
  "mailbox_id" bigint NOT NULL,
  "action" varchar(20) NOT NULL,
  "target" varchar(20) NOT NULL,
  "rule" varchar(100) NOT NULL,
  "answer_id" bigint,
  "trace" text NOT NULL,
  "decided_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_decisions_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_decisions_location" ON "decisions" ("location_id");
CREATE INDEX "ix_decisions_letter" ON "decisions" ("letter_id");

CREATE TABLE "events" (
  "id" bigserial,
  "kind" varchar(60) NOT NULL,
  "occurred_at" timestamptz NOT NULL,
  "recorded_at" timestamptz NOT NULL,
  "actor" varchar(320) NOT NULL,
  "dedupe_key" varchar(200),
  "letter_id" bigint,
  "mailbox_id" bigint,
  "client_id" bigint,
  "deal_id" bigint,
  "filing_id" bigint,
  "text" text NOT NULL,
  PRIMARY KEY ("id")
);
CREATE INDEX "ix_events_deal" ON "events" ("deal_id");
CREATE INDEX "ix_events_client" ON "events" ("client_id");
CREATE INDEX "ix_events_letter" ON "events" ("letter_id");
CREATE UNIQUE INDEX "ux_events_dedupe" ON "events" ("dedupe_key");
CREATE INDEX "ix_events_kind" ON "events" ("kind","occurred_at");

INSERT INTO "stages" ("code", "name", "position", "kind", "outstanding") VALUES
  ('new', 'Новая', 10, 'open', false),
  ('talks', 'Переговоры', 20, 'open', false),
  ('offer', 'КП отправлено', 30, 'open', true),
  ('invoice', 'Счёт выставлен', 40, 'open', true),
  ('won', 'Продажа', 50, 'won', false),
  ('lost', 'Отказ', 60, 'lost', false);
