-- Invoices for payment, the money that came in, and what of it pays which invoice.
-- +goose Up

CREATE TABLE "invoices" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "number" text NOT NULL,
  "issued_on" datetime NOT NULL,
  "client_id" integer NOT NULL,
  "deal_id" integer,
  "amount_minor" integer NOT NULL DEFAULT 0,
  "amount_currency" text NOT NULL,
  "paid_minor" integer NOT NULL DEFAULT 0,
  "state" text NOT NULL,
  "due_on" datetime,
  "deferred_to" datetime,
  "supersedes_id" integer,
  "comment" text NOT NULL,
  "actor" text NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_invoices_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_invoices_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_invoices_supersedes" FOREIGN KEY ("supersedes_id") REFERENCES "invoices"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_invoices_client" ON "invoices" ("client_id");
CREATE INDEX "ix_invoices_deal" ON "invoices" ("deal_id");
CREATE INDEX "ix_invoices_state" ON "invoices" ("state");
CREATE UNIQUE INDEX "ux_invoices_number" ON "invoices" ("number","issued_on");

CREATE TABLE "payments" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "key" text NOT NULL,
  "direction" text NOT NULL,
  "nature" text NOT NULL,
  "number" text NOT NULL,
  "date" datetime NOT NULL,
  "booked_on" datetime,
  "amount_minor" integer NOT NULL DEFAULT 0,
  "amount_currency" text NOT NULL,
  "account" text NOT NULL,
  "payer_name" text NOT NULL,
  "payer_inn" text NOT NULL,
  "payer_account" text NOT NULL,
  "purpose" text NOT NULL,
  "client_id" integer,
  "state" text NOT NULL,
  "tier" text NOT NULL,
  "why" text NOT NULL,
  "decided_by" text NOT NULL,
  "source" text NOT NULL,
  "created_at" datetime NOT NULL,
  "updated_at" datetime NOT NULL,
  CONSTRAINT "fk_payments_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_payments_booked" ON "payments" ("booked_on");
CREATE INDEX "ix_payments_client" ON "payments" ("client_id");
CREATE INDEX "ix_payments_payer" ON "payments" ("payer_inn");
CREATE INDEX "ix_payments_state" ON "payments" ("state");
CREATE UNIQUE INDEX "ux_payments_key" ON "payments" ("key");

CREATE TABLE "allocations" (
  "id" integer PRIMARY KEY AUTOINCREMENT,
  "payment_id" integer NOT NULL,
  "invoice_id" integer NOT NULL,
  "minor" integer NOT NULL,
  "method" text NOT NULL,
  "actor" text NOT NULL,
  "created_at" datetime NOT NULL,
  "ended_at" datetime,
  "ended_by" text NOT NULL,
  CONSTRAINT "fk_allocations_payment" FOREIGN KEY ("payment_id") REFERENCES "payments"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_allocations_invoice" FOREIGN KEY ("invoice_id") REFERENCES "invoices"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_allocations_payment" ON "allocations" ("payment_id");
CREATE INDEX "ix_allocations_invoice" ON "allocations" ("invoice_id");
CREATE UNIQUE INDEX "ux_allocations_current" ON "allocations" ("payment_id","invoice_id") WHERE ended_at IS NULL;
