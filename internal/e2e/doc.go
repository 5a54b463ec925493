// Package e2e holds the tests of the whole product: the built program, a private Dovecot over TLS, both databases, mail
// put in and looked at from outside by a client that shares no code with the daemon, and kill -9.
package e2e
