-- Indexes that no question asked for, or that held nothing for nearly all rows, cost every letter that was taken in or
-- moved. Open filings are found through ix_filings_due.
-- +goose Up
DROP INDEX "ix_locations_gone";
DROP INDEX "ix_locations_mailbox";
DROP INDEX "ix_filings_mailbox_state";
DROP INDEX "ix_links_deal";
CREATE INDEX "ix_links_deal" ON "links"("deal_id") WHERE deal_id IS NOT NULL;
DROP INDEX "ix_events_deal";
CREATE INDEX "ix_events_deal" ON "events"("deal_id") WHERE deal_id IS NOT NULL;

-- +goose Down
DROP INDEX "ix_events_deal";
CREATE INDEX "ix_events_deal" ON "events"("deal_id");
DROP INDEX "ix_links_deal";
CREATE INDEX "ix_links_deal" ON "links"("deal_id");
CREATE INDEX "ix_filings_mailbox_state" ON "filings"("mailbox_id","state");
CREATE INDEX "ix_locations_mailbox" ON "locations"("mailbox_id");
CREATE INDEX "ix_locations_gone" ON "locations"("gone_at");
