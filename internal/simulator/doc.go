// Package simulator is a virtual ESP32: the mask ROM's serial loader, the eFuse
// controller, the NOR flash behind the SPI controller, the reset circuit of a
// development board, and a judgement of what the chip and its ESP-IDF bootloader
// would do with what they find, and what a running app does when it updates itself.
// A Chip is a serial port as seen from the host.
// It can be kept in a directory, paced like a real line, and hurt on purpose.
//
// It knows what the silicon and Espressif's bootloader do. It does not know the
// station: no profiles, records, operators or steps. It shares no code with the
// programs that drive it, so that agreement between them means something; only
// Boot and OTA use the packages secureboot, flashcrypt and image, as the judge of
// what they made.
//
// Sources: ESP32 TRM, "eFuse Controller" and "SPI"; the recorded ROM transcript
// and boot logs in testdata; ESP-IDF bootloader_support for the words of the boot
// log; Espressif's serial protocol pages. Where nothing is recorded, the comment
// beside the choice says so.
package simulator
