-- Senders of whom a person has said that they are no clients, and addresses that no letter reaches.
-- +goose Up
CREATE TABLE "dismissed_senders" (
  "id" bigserial,
  "address" varchar(320) NOT NULL,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "ux_dismissed_senders_address" ON "dismissed_senders"("address");
ALTER TABLE "contact_points" ADD COLUMN "dead_at" timestamptz;
ALTER TABLE "contact_points" ADD COLUMN "dead_reason" varchar(60) NOT NULL DEFAULT '';
ALTER TABLE "contact_points" ALTER COLUMN "dead_reason" DROP DEFAULT;
CREATE INDEX "ix_contact_points_dead" ON "contact_points"("value") WHERE dead_at IS NOT NULL;

-- +goose Down
DROP INDEX "ix_contact_points_dead";
ALTER TABLE "contact_points" DROP COLUMN "dead_reason";
ALTER TABLE "contact_points" DROP COLUMN "dead_at";
DROP TABLE "dismissed_senders";
