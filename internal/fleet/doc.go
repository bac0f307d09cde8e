// Package fleet answers questions about updates from the records of the units
// themselves: what is known of one unit (DeviceOf), of every unit that a profile makes
// (DeviceOfJob), and which units of all that were made would accept an image (Ask).
//
// It turns records into facts and leaves the judging to package ota. What the records
// do not tell stays unknown: no default stands in for it, and a unit whose answer
// hangs on it is counted as unknown. It reads records and never writes them; it does
// not know ports, chips or keys.
//
// Units are judged as they left the line. What becomes of them after that is in no
// record: from which slot a unit runs by now is not assumed, that its bootloader,
// partition table and fuses are still the same is. The one fuse that firmware burns by
// itself in the field is SECURE_VERSION: a unit that has been updated to an app with
// a higher one accepts less than is said here.
package fleet
