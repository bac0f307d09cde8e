// Package image reads and builds the file formats that stand in an ESP32's flash:
// app and bootloader images with their descriptors, the partition table (binary
// and CSV), and otadata. It judges whether a file is whole, what it is, and what
// it was built to do. It does not know signatures (what follows an image is
// Trailing), keys, flash encryption beyond recognising ciphertext, or how bytes get
// into a chip.
//
// Sources: ESP-IDF esp_app_format.h, esp_app_desc.h, esp_bootloader_desc.h,
// esp_flash_partitions.h, esp_image_format.c, gen_esp32part.py,
// bootloader_utility.c. Multi-byte fields are little-endian throughout.
package image
