-- When the refused logins in a row began: a server that refuses without saying why is given half an hour.

-- +goose Up
ALTER TABLE "mailboxes" ADD COLUMN "refused_at" datetime;
