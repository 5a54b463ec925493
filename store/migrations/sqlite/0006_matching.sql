-- How sure a link is and who has ended it; what a person is asked about a letter; what he has taught; keys of our marks.
-- +goose Up

ALTER TABLE "links" ADD COLUMN "score" integer NOT NULL DEFAULT 0;
ALTER TABLE "links" ADD COLUMN "ended_by" text;

CREATE TABLE "proposals" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "letter_id" integer NOT NULL,
  "kind" text NOT NULL,
  "key" text NOT NULL,
  "client_id" integer,
  "deal_id" integer,
  "method" text NOT NULL,
  "score" integer NOT NULL DEFAULT 0,
  "evidence" text NOT NULL,
  "draft" text NOT NULL,
  "created_at" datetime NOT NULL,
  "settled_at" datetime,
  "settled_by" text,
  CONSTRAINT "fk_proposals_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_proposals_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_proposals_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_proposals_key" ON "proposals"("kind","key");
CREATE INDEX "ix_proposals_letter" ON "proposals"("letter_id");
CREATE INDEX "ix_proposals_client" ON "proposals"("client_id");
CREATE INDEX "ix_proposals_deal" ON "proposals"("deal_id");

CREATE TABLE "link_rules" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "address" text NOT NULL,
  "client_id" integer NOT NULL,
  "deal_id" integer,
  "letter_id" integer,
  "actor" text NOT NULL,
  "created_at" datetime NOT NULL,
  "removed_at" datetime,
  "removed_by" text,
  CONSTRAINT "fk_link_rules_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_link_rules_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_link_rules_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE SET NULL
);
CREATE UNIQUE INDEX "ux_link_rules_address" ON "link_rules"("address") WHERE removed_at IS NULL;
CREATE INDEX "ix_link_rules_client" ON "link_rules"("client_id");
CREATE INDEX "ix_link_rules_deal" ON "link_rules"("deal_id");
CREATE INDEX "ix_link_rules_letter" ON "link_rules"("letter_id");

CREATE TABLE "secrets" (
  "name" text PRIMARY KEY,
  "value" text NOT NULL,
  "created_at" datetime NOT NULL
);

-- Gmail does not count dots: addresses there are looked for without them.
CREATE INDEX "ix_contact_points_dotless" ON "contact_points"(replace("value",'.',''));
