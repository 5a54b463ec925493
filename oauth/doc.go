// Package oauth logs in to mailboxes without passwords: a person agrees once, in the browser, and Kontrol keeps the
// permission and renews it. It knows the providers (Providers), gets the permission (App.Device, App.Browser), keeps it
// sealed (Vault), and gives every user of a mailbox a token that works (Source). See RFC 6749, RFC 7636 (PKCE), RFC 8252
// (loopback), RFC 8628 (device) and RFC 7628 (OAUTHBEARER).
//
// Tokens and secrets never stand in an error or in the log.
package oauth
