// Package campaign lives through the lives of many virtual units, each made from
// one number: what was ordered, which part it is, and everything that goes wrong
// with it, the line, the station and the people. After every run, and at moments in
// between, package judge says whether what must always hold of units does hold.
//
// There is nothing here but tests. A unit that fails is lived through again alone:
//
//	go test ./internal/campaign -run TestSeed -v -seed N
package campaign
