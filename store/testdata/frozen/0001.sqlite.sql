-- The first version: people, mailboxes, letters and where they lie, clients and deals, the journal of moves, decisions,
-- events. Frozen: whatever changes later goes into a migration of its own.
-- +goose Up

CREATE TABLE "managers" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "name" text NOT NULL,
  "email" text NOT NULL,
  "role" text NOT NULL,
  "timezone" text NOT NULL,
  "active" numeric NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL
);
CREATE UNIQUE INDEX "ux_managers_email" ON "managers"("email");

CREATE TABLE "mailboxes" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "address" text NOT NULL,
  "kind" text NOT NULL,
  "manager_id" integer,
  "aliases" text NOT NULL,
  "state" text NOT NULL,
  "state_reason" text NOT NULL,
  "login_refusals" integer NOT NULL DEFAULT 0,
  "connected" numeric NOT NULL DEFAULT false,
  "synced_at" datetime,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_mailboxes_manager" FOREIGN KEY ("manager_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_mailboxes_manager" ON "mailboxes"("manager_id");
CREATE UNIQUE INDEX "ux_mailboxes_address" ON "mailboxes"("address");

CREATE TABLE "folders" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "mailbox_id" integer NOT NULL,
  "role" text NOT NULL,
  "name" text NOT NULL,
  "delimiter" text NOT NULL,
  "uid_validity" integer NOT NULL DEFAULT 0,
  "last_uid" integer NOT NULL DEFAULT 0,
  "first_uid" integer NOT NULL DEFAULT 0,
  "mod_seq" integer NOT NULL DEFAULT 0,
  "read_only" numeric NOT NULL DEFAULT false,
  "synced_at" datetime,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_folders_mailbox" FOREIGN KEY ("mailbox_id") REFERENCES "mailboxes"("id") ON DELETE RESTRICT
);
CREATE UNIQUE INDEX "ux_folders_mailbox_role" ON "folders"("mailbox_id","role");

CREATE TABLE "quarantines" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "mailbox_id" integer NOT NULL,
  "folder_id" integer NOT NULL,
  "uid_validity" integer NOT NULL,
  "uid" integer NOT NULL,
  "reason" text NOT NULL,
  "attempts" integer NOT NULL DEFAULT 1,
  "resolved_at" datetime,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL
);
CREATE UNIQUE INDEX "ux_quarantines_uid" ON "quarantines"("folder_id","uid_validity","uid");
CREATE INDEX "ix_quarantines_mailbox" ON "quarantines"("mailbox_id");

CREATE TABLE "threads" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "base_subject" text NOT NULL,
  "last_at" datetime NOT NULL,
  "created_at" datetime NOT NULL
);

CREATE TABLE "letters" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "fingerprint" text NOT NULL,
  "message_id" text NOT NULL,
  "thread_id" integer NOT NULL,
  "direction" text NOT NULL,
  "class" text NOT NULL,
  "from_address" text NOT NULL,
  "from_name" text NOT NULL,
  "reply_to" text NOT NULL,
  "to" text NOT NULL,
  "cc" text NOT NULL,
  "subject" text NOT NULL,
  "base_subject" text NOT NULL,
  "date" datetime,
  "arrived_at" datetime NOT NULL,
  "size" integer NOT NULL DEFAULT 0,
  "text" text NOT NULL,
  "class_reason" text NOT NULL,
  "problems" text NOT NULL,
  "created_at" datetime NOT NULL,
  CONSTRAINT "fk_letters_thread" FOREIGN KEY ("thread_id") REFERENCES "threads"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_letters_base_subject" ON "letters"("base_subject");
CREATE INDEX "ix_letters_arrived" ON "letters"("arrived_at");
CREATE INDEX "ix_letters_from" ON "letters"("from_address");
CREATE INDEX "ix_letters_thread" ON "letters"("thread_id");
CREATE INDEX "ix_letters_message_id" ON "letters"("message_id");
CREATE UNIQUE INDEX "ux_letters_fingerprint" ON "letters"("fingerprint");

CREATE TABLE "letter_references" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "letter_id" integer NOT NULL,
  "position" integer NOT NULL,
  "message_id" text NOT NULL,
  CONSTRAINT "fk_letter_references_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_references_message_id" ON "letter_references"("message_id");
CREATE UNIQUE INDEX "ux_references_letter" ON "letter_references"("letter_id","position");

CREATE TABLE "locations" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "letter_id" integer NOT NULL,
  "mailbox_id" integer NOT NULL,
  "folder_id" integer NOT NULL,
  "uid_validity" integer NOT NULL,
  "uid" integer NOT NULL,
  "flags" text NOT NULL,
  "internal_date" datetime,
  "size" integer NOT NULL DEFAULT 0,
  "header_hash" text NOT NULL,
  "hands_off" numeric NOT NULL DEFAULT false,
  "first_look" numeric NOT NULL DEFAULT false,
  "seen_at" datetime NOT NULL,
  "gone_at" datetime,
  CONSTRAINT "fk_locations_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_locations_folder" FOREIGN KEY ("folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_locations_gone" ON "locations"("gone_at");
CREATE UNIQUE INDEX "ux_locations_uid" ON "locations"("folder_id","uid_validity","uid");
CREATE INDEX "ix_locations_mailbox" ON "locations"("mailbox_id");
CREATE INDEX "ix_locations_letter" ON "locations"("letter_id");

CREATE TABLE "clients" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "name" text NOT NULL,
  "name_key" text NOT NULL,
  "inn" text,
  "kpp" text NOT NULL,
  "owner_id" integer,
  "comment" text NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_clients_owner" FOREIGN KEY ("owner_id") REFERENCES "managers"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_clients_owner" ON "clients"("owner_id");
CREATE UNIQUE INDEX "ux_clients_inn" ON "clients"("inn");
CREATE INDEX "ix_clients_name_key" ON "clients"("name_key");

CREATE TABLE "client_domains" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "domain" text NOT NULL,
  CONSTRAINT "fk_client_domains_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_client_domains_domain" ON "client_domains"("domain");
CREATE INDEX "ix_client_domains_client" ON "client_domains"("client_id");

CREATE TABLE "contacts" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "client_id" integer NOT NULL,
  "name" text NOT NULL,
  "position" text NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_contacts_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_contacts_client" ON "contacts"("client_id");

CREATE TABLE "contact_points" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "contact_id" integer NOT NULL,
  "kind" text NOT NULL,
  "value" text NOT NULL,
  CONSTRAINT "fk_contact_points_contact" FOREIGN KEY ("contact_id") REFERENCES "contacts"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_contact_points_value" ON "contact_points"("kind","value");
CREATE INDEX "ix_contact_points_contact" ON "contact_points"("contact_id");

CREATE TABLE "stages" (
  "code" text PRIMARY KEY,
  "name" text NOT NULL,
  "position" integer NOT NULL,
  "kind" text NOT NULL,
  "outstanding" numeric NOT NULL DEFAULT false
);

CREATE TABLE "deals" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "number" integer NOT NULL,
  "client_id" integer NOT NULL,
  "owner_id" integer,
  "title" text NOT NULL,
  "stage_code" text NOT NULL,
  "amount_minor" integer NOT NULL DEFAULT 0,
  "amount_currency" text NOT NULL,
  "next_action" text NOT NULL,
  "next_action_at" datetime,
  "lost_reason" text NOT NULL,
  "closed_at" datetime,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_deals_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_deals_owner" FOREIGN KEY ("owner_id") REFERENCES "managers"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_deals_stage" FOREIGN KEY ("stage_code") REFERENCES "stages"("code") ON DELETE RESTRICT
);
CREATE INDEX "ix_deals_stage" ON "deals"("stage_code");
CREATE INDEX "ix_deals_owner" ON "deals"("owner_id");
CREATE INDEX "ix_deals_client" ON "deals"("client_id");
CREATE UNIQUE INDEX "ux_deals_number" ON "deals"("number");

CREATE TABLE "stage_changes" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "deal_id" integer NOT NULL,
  "from_code" text NOT NULL,
  "to_code" text NOT NULL,
  "actor" text NOT NULL,
  "reason" text NOT NULL,
  "occurred_at" datetime NOT NULL,
  "recorded_at" datetime NOT NULL,
  CONSTRAINT "fk_stage_changes_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_stage_changes_deal" ON "stage_changes"("deal_id");

CREATE TABLE "links" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "letter_id" integer NOT NULL,
  "client_id" integer NOT NULL,
  "deal_id" integer,
  "method" text NOT NULL,
  "evidence" text NOT NULL,
  "ask" numeric NOT NULL DEFAULT false,
  "actor" text NOT NULL,
  "created_at" datetime NOT NULL,
  "superseded_at" datetime,
  CONSTRAINT "fk_links_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_links_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_links_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_links_deal" ON "links"("deal_id");
CREATE INDEX "ix_links_client" ON "links"("client_id");
CREATE UNIQUE INDEX "ux_links_current" ON "links"("letter_id","client_id") WHERE superseded_at IS NULL;
CREATE INDEX "ix_links_letter" ON "links"("letter_id");

CREATE TABLE "filings" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "mailbox_id" integer NOT NULL,
  "letter_id" integer NOT NULL,
  "location_id" integer NOT NULL,
  "generation" integer NOT NULL DEFAULT 1,
  "source_folder_id" integer NOT NULL,
  "source_uid_validity" integer NOT NULL,
  "source_uid" integer NOT NULL,
  "header_hash" text NOT NULL,
  "size" integer NOT NULL DEFAULT 0,
  "target_folder_id" integer NOT NULL,
  "state" text NOT NULL,
  "dest_uid_validity" integer NOT NULL DEFAULT 0,
  "dest_uid_next" integer NOT NULL DEFAULT 0,
  "dest_uid" integer NOT NULL DEFAULT 0,
  "decision_id" integer,
  "attempts" integer NOT NULL DEFAULT 0,
  "last_error" text NOT NULL,
  "reason" text NOT NULL,
  "next_attempt_at" datetime,
  "planned_at" datetime NOT NULL,
  "sent_at" datetime,
  "finished_at" datetime,
  CONSTRAINT "fk_filings_target_folder" FOREIGN KEY ("target_folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_location" FOREIGN KEY ("location_id") REFERENCES "locations"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_filings_source_folder" FOREIGN KEY ("source_folder_id") REFERENCES "folders"("id") ON DELETE RESTRICT
);
CREATE UNIQUE INDEX "ux_filings_open" ON "filings"("location_id") WHERE finished_at IS NULL;
CREATE UNIQUE INDEX "ux_filings_location" ON "filings"("location_id","generation");
CREATE INDEX "ix_filings_letter" ON "filings"("letter_id");
CREATE INDEX "ix_filings_mailbox_state" ON "filings"("mailbox_id","state");

CREATE TABLE "decisions" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "letter_id" integer NOT NULL,
  "location_id" integer NOT NULL,
  "mailbox_id" integer NOT NULL,
  "action" text NOT NULL,
  "target" text NOT NULL,
  "rule" text NOT NULL,
  "answer_id" integer,
  "trace" text NOT NULL,
  "decided_at" datetime NOT NULL,
  CONSTRAINT "fk_decisions_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE
);
CREATE INDEX "ix_decisions_location" ON "decisions"("location_id");
CREATE INDEX "ix_decisions_letter" ON "decisions"("letter_id");

CREATE TABLE "events" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "kind" text NOT NULL,
  "occurred_at" datetime NOT NULL,
  "recorded_at" datetime NOT NULL,
  "actor" text NOT NULL,
  "dedupe_key" text,
  "letter_id" integer,
  "mailbox_id" integer,
  "client_id" integer,
  "deal_id" integer,
  "filing_id" integer,
  "text" text NOT NULL
);
CREATE INDEX "ix_events_deal" ON "events"("deal_id");
CREATE INDEX "ix_events_client" ON "events"("client_id");
CREATE INDEX "ix_events_letter" ON "events"("letter_id");
CREATE UNIQUE INDEX "ux_events_dedupe" ON "events"("dedupe_key");
CREATE INDEX "ix_events_kind" ON "events"("kind","occurred_at");

INSERT INTO "stages" ("code", "name", "position", "kind", "outstanding") VALUES
  ('new', 'Новая', 10, 'open', false),
  ('talks', 'Переговоры', 20, 'open', false),
  ('offer', 'КП отправлено', 30, 'open', true),
  ('invoice', 'Счёт выставлен', 40, 'open', true),
  ('won', 'Продажа', 50, 'won', false),
  ('lost', 'Отказ', 60, 'lost', false);
