// Package secureboot computes and checks what the Secure Boot of the classic
// ESP32 wants to see in flash: the V1 bootloader digest, the V1 (ECDSA P-256)
// signature of apps and partition tables, and the V2 (RSA-3072) signature sector.
// It reads and writes the signing keys' file formats. It does not know image
// segments (where an image ends is the caller's knowledge), eFuses, flash
// encryption, or where the per-device key comes from.
//
// V1 is two independent things: an AES key unique to the device, with which the
// mask ROM checks the bootloader through the digest at flash offset 0x0, and an
// ECDSA key common to a fleet, with which the bootloader checks the app.
//
// Sources: ESP32 TRM, "Secure Boot"; ESP-IDF docs/security/secure-boot-v1.rst,
// secure-boot-v2.rst; answers of espsecure 4.8.1 (testdata).
package secureboot
