// Package catalog knows what the station says to the people in front of it, in
// their language: the words of the screen, the pages of the fault codes, the names
// of the steps of a run. The words are data, in words/*.toml.
//
// It does not know screens, slots or units, and it decides nothing: it is asked for
// a key and gives a text. Of ours it imports internal/fault alone, whose English
// pages it does not repeat.
package catalog
