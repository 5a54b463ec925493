-- Indexes that no query is better for, and that every letter taken in or moved paid for: whether a copy is gone is never
-- asked alone, and open filings are found through ix_filings_due.
-- +goose Up
DROP INDEX "ix_locations_gone";
DROP INDEX "ix_filings_mailbox_state";

-- +goose Down
CREATE INDEX "ix_filings_mailbox_state" ON "filings"("mailbox_id","state");
CREATE INDEX "ix_locations_gone" ON "locations"("gone_at");
