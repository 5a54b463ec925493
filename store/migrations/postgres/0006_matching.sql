-- How sure a link is and who has ended it; what a person is asked about a letter; what he has taught; keys of our marks.
-- +goose Up

ALTER TABLE "links" ADD COLUMN "score" bigint NOT NULL DEFAULT 0;
ALTER TABLE "links" ADD COLUMN "ended_by" varchar(320);

CREATE TABLE "proposals" (
  "id" bigserial,
  "letter_id" bigint NOT NULL,
  "kind" varchar(20) NOT NULL,
  "key" varchar(400) NOT NULL,
  "client_id" bigint,
  "deal_id" bigint,
  "method" varchar(20) NOT NULL,
  "score" bigint NOT NULL DEFAULT 0,
  "evidence" text NOT NULL,
  "draft" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  "settled_at" timestamptz,
  "settled_by" varchar(320),
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_proposals_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_proposals_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_proposals_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE
);
CREATE UNIQUE INDEX "ux_proposals_key" ON "proposals"("kind","key");
CREATE INDEX "ix_proposals_letter" ON "proposals"("letter_id");
CREATE INDEX "ix_proposals_client" ON "proposals"("client_id");
CREATE INDEX "ix_proposals_deal" ON "proposals"("deal_id");

CREATE TABLE "link_rules" (
  "id" bigserial,
  "address" varchar(320) NOT NULL,
  "client_id" bigint NOT NULL,
  "deal_id" bigint,
  "letter_id" bigint,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "removed_at" timestamptz,
  "removed_by" varchar(320),
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_link_rules_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_link_rules_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE CASCADE,
  CONSTRAINT "fk_link_rules_letter" FOREIGN KEY ("letter_id") REFERENCES "letters"("id") ON DELETE SET NULL
);
CREATE UNIQUE INDEX "ux_link_rules_address" ON "link_rules"("address") WHERE removed_at IS NULL;
CREATE INDEX "ix_link_rules_client" ON "link_rules"("client_id");
CREATE INDEX "ix_link_rules_deal" ON "link_rules"("deal_id");
CREATE INDEX "ix_link_rules_letter" ON "link_rules"("letter_id");

CREATE TABLE "secrets" (
  "name" varchar(60),
  "value" text NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("name")
);

-- Gmail does not count dots: addresses there are looked for without them.
CREATE INDEX "ix_contact_points_dotless" ON "contact_points"(replace("value",'.',''));
