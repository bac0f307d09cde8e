// Package campaign lives through the lives of many virtual units, each made from
// one number: what was ordered, which part it is, and everything that goes wrong
// with it, the line, the station and the people. After every run, and at moments in
// between, package judge says whether what must always hold of units does hold.
//
// There is nothing here but tests. A plain test run has a few hundred lives; this is
// a long campaign on all processors, from a listed seed on, and one life alone:
//
//	PROVISION_CAMPAIGN_FIRST=1 PROVISION_CAMPAIGN_UNITS=1000000 go test -v -timeout 0 ./internal/campaign -run 'TestCampaign$'
//	go test -v ./internal/campaign -run TestSeed -seed 4409
//
// The records are a database, as at a station. PROVISION_CAMPAIGN_MEMORY=1 keeps them in
// package memory instead, for half the processor time or less: the lives are the same,
// event for event (TestMemory), for a run asks the same of both and is told the same
// (TestSame of that package). What SQLite itself does is not tried then, and mutants of
// the records would not be noticed: TestMutants does without it.
//
// PROVISION_CAMPAIGN_HARSH=1 makes other lives of the same numbers: no line is good and
// every other unit is changed in its slot, which finds in thousands of lives what takes
// hundreds of thousands otherwise.
package campaign
