// Package ota answers, before an image is published: will this unit accept it as an
// update over the air, and if not, why. It judges one file against the facts known
// of one unit, in the order in which the unit's own software would: esp_ota while it
// writes, esp_ota when it verifies what it has written, esp_ota when it switches to
// the new slot, and the bootloader after the restart. A fact that is missing and
// matters makes the answer Unknown; nothing is guessed.
//
// It does not know records, profiles, serial ports, chips or the virtual one, nor
// how a file gets to a unit. It sees public keys and signatures only; the one secret
// it may be given is a unit's flash key, inside a flashcrypt.Cipher.
//
// Taken as given: the running app is an ESP-IDF app of the bootloader's build, it
// calls esp_ota_begin, esp_ota_write, esp_ota_end and esp_ota_set_boot_partition, and
// what follows the file in its slot is erased flash up to the end of a sector. Where
// those print nothing, the line is the one that esp_https_ota has for it. Words are
// those of ESP-IDF 5.1 to 5.4; other versions differ in a few.
//
// Sources: ESP-IDF v5.1 app_update/esp_ota_ops.c, esp_https_ota.c, and
// bootloader_support: esp_image_format.c, bootloader_utility.c,
// bootloader_common_loader.c, secure_boot_signatures_app.c of V1 and V2, for the
// order of the checks and their words.
package ota
