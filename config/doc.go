// Package config reads config.toml, strictly: a key that is not known, a value of the wrong type and a value that makes
// no sense are all errors, all of them are reported at once, and each names the file, the line, the key and, where one
// is near, the word that was probably meant. It opens no network connection and runs no command while it reads; it looks
// at the files that the config names (secrets, certificates), so that a missing one is found before the daemon starts.
//
// Places in a list are counted from 1, as people count: managers[1] is the first [[managers]] of the file.
//
// A new section is a new field of Config with a toml tag, its defaults in Default, its checks in a file of its own
// called from checker.all, and its block in config.toml.example; unknown-key hints, line numbers, environment
// variables and the comparison for a reload follow from the field.
package config
