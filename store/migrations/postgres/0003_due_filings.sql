-- The Mover reads the open filings of a mailbox page by page.
-- +goose Up
CREATE INDEX "ix_filings_due" ON "filings"("mailbox_id","id") WHERE finished_at IS NULL;
