// Package rules decides where a letter belongs and explains itself. It carries out the department's sales procedure for
// mail: an answered letter leaves the inbox for «Обработанные письма», or for «На контроле» when its deal still waits for
// something; everything else stays where it is.
//
// Decide is a pure function: the same facts give the same decision, whatever the order in which they were gathered. It
// reads and writes nothing; package daemon gathers the facts and carries the decision out. A doubt never moves a letter.
package rules
