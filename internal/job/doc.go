// Package job turns a station profile and the files it names into a job: images
// that were read, parsed, verified against the public key and laid out in flash,
// and the fuses the policy asks for. A job is complete and consistent or it does
// not exist, so that a mistake in the profile or a wrong file is found before a
// unit is touched.
//
// It does not know chips, ports, records or the keys of a unit, only whether there
// is somebody to seal them to. What is the same for every unit of a profile is
// here; what differs is in package flow.
package job
