-- Invoices for payment, the money that came in, and what of it pays which invoice.
-- +goose Up

CREATE TABLE "invoices" (
  "id" bigserial,
  "number" varchar(60) NOT NULL,
  "issued_on" timestamptz NOT NULL,
  "client_id" bigint NOT NULL,
  "deal_id" bigint,
  "amount_minor" bigint NOT NULL DEFAULT 0,
  "amount_currency" varchar(3) NOT NULL,
  "paid_minor" bigint NOT NULL DEFAULT 0,
  "state" varchar(20) NOT NULL,
  "due_on" timestamptz,
  "deferred_to" timestamptz,
  "supersedes_id" bigint,
  "comment" text NOT NULL,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_invoices_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_invoices_deal" FOREIGN KEY ("deal_id") REFERENCES "deals"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_invoices_supersedes" FOREIGN KEY ("supersedes_id") REFERENCES "invoices"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_invoices_client" ON "invoices" ("client_id");
CREATE INDEX "ix_invoices_deal" ON "invoices" ("deal_id");
CREATE INDEX "ix_invoices_state" ON "invoices" ("state");
CREATE UNIQUE INDEX "ux_invoices_number" ON "invoices" ("number","issued_on");

CREATE TABLE "payments" (
  "id" bigserial,
  "key" varchar(64) NOT NULL,
  "direction" varchar(10) NOT NULL,
  "nature" varchar(20) NOT NULL,
  "number" varchar(60) NOT NULL,
  "date" timestamptz NOT NULL,
  "booked_on" timestamptz,
  "amount_minor" bigint NOT NULL DEFAULT 0,
  "amount_currency" varchar(3) NOT NULL,
  "account" varchar(40) NOT NULL,
  "payer_name" varchar(400) NOT NULL,
  "payer_inn" varchar(20) NOT NULL,
  "payer_account" varchar(40) NOT NULL,
  "purpose" text NOT NULL,
  "client_id" bigint,
  "state" varchar(20) NOT NULL,
  "tier" varchar(1) NOT NULL,
  "why" text NOT NULL,
  "decided_by" varchar(320) NOT NULL,
  "source" varchar(300) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_payments_client" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_payments_booked" ON "payments" ("booked_on");
CREATE INDEX "ix_payments_client" ON "payments" ("client_id");
CREATE INDEX "ix_payments_payer" ON "payments" ("payer_inn");
CREATE INDEX "ix_payments_state" ON "payments" ("state");
CREATE UNIQUE INDEX "ux_payments_key" ON "payments" ("key");

CREATE TABLE "allocations" (
  "id" bigserial,
  "payment_id" bigint NOT NULL,
  "invoice_id" bigint NOT NULL,
  "minor" bigint NOT NULL,
  "method" varchar(10) NOT NULL,
  "actor" varchar(320) NOT NULL,
  "created_at" timestamptz NOT NULL,
  "ended_at" timestamptz,
  "ended_by" varchar(320) NOT NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "fk_allocations_payment" FOREIGN KEY ("payment_id") REFERENCES "payments"("id") ON DELETE RESTRICT,
  CONSTRAINT "fk_allocations_invoice" FOREIGN KEY ("invoice_id") REFERENCES "invoices"("id") ON DELETE RESTRICT
);
CREATE INDEX "ix_allocations_payment" ON "allocations" ("payment_id");
CREATE INDEX "ix_allocations_invoice" ON "allocations" ("invoice_id");
CREATE UNIQUE INDEX "ux_allocations_current" ON "allocations" ("payment_id","invoice_id") WHERE ended_at IS NULL;
