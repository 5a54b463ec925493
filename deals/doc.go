// Package deals says which client and which deal a letter concerns, how a deal goes from stage to stage, and how what
// people type about clients (names, domains, INN, phones, a table of clients) becomes comparable.
//
// It decides and explains; it stores nothing and sends nothing. What is known about clients comes through Directory.
// A link is made on evidence only: where two clients or two deals fit, a person is asked. Everything returned for people
// is a models.Phrase.
package deals
