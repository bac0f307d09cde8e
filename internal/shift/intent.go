package shift

// Intent is what a person asks for, by key, barcode or scan.
type Intent struct {
	Kind IntentKind
	Slot int    // for the kinds that are about a slot; 0: none
	Text string // what was scanned or typed; the answer to a choice
}

// IntentKind is the kind of an Intent.
type IntentKind string

// The intents. Those that a role is needed for are refused without it: E906.
const (
	Scanned   IntentKind = "scan"     // Text was scanned; the station finds out what it means
	PINGiven  IntentKind = "pin"      // Text is the PIN that was asked for; empty: given up
	Choose    IntentKind = "choose"   // Text is a key of the open choice; empty: given up
	Arm       IntentKind = "arm"      // lead: start the job
	Disarm    IntentKind = "disarm"   // anybody: start no further unit
	Unlock    IntentKind = "unlock"   // lead: Slot, or 0 for the station
	Exclude   IntentKind = "exclude"  // lead: leave Slot out, or take it in again
	Quarant   IntentKind = "park"     // anybody: set the unit in Slot aside
	Release   IntentKind = "release"  // lead: let the parked unit in Slot go on
	Reprint   IntentKind = "reprint"  // lead: the label of the unit in Slot, or of serial number Text
	Lookup    IntentKind = "lookup"   // Text: a serial number, MAC, fingerprint or firmware
	History   IntentKind = "history"  // the latest runs of this station
	Details   IntentKind = "details"  // engineer: fuses, plan and log of the unit in Slot
	Explain   IntentKind = "explain"  // the page of fault code Text, or of the fault in Slot
	SelfTest  IntentKind = "selftest" // check the station
	SignOut   IntentKind = "signout"  // whoever is signed in
	HandUnit  IntentKind = "hand"     // put a virtual unit into Slot, or take it out
	HandsAuto IntentKind = "hands"    // virtual units come and go by themselves, or no longer
	Quit      IntentKind = "quit"     // close the station: running units are finished first
	QuitNow   IntentKind = "quit.now" // do not wait for them: they are interrupted and can be taken up again
)
