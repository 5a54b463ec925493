-- +goose Up
ALTER TABLE "folders" ADD COLUMN "uid_next" integer NOT NULL DEFAULT 0;
ALTER TABLE "folders" ADD COLUMN "messages" integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE "folders" DROP COLUMN "messages";
ALTER TABLE "folders" DROP COLUMN "uid_next";
