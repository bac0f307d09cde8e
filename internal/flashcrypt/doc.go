// Package flashcrypt encrypts and decrypts bytes as the flash encryption
// hardware of the classic ESP32 does: AES-256 with a key that changes with the
// flash offset (not the AES-XTS of later chips). It knows the cipher, the key
// tweak and the alignment rules. It does not know which regions of a flash have
// to be ciphertext, image formats, eFuses, where a key comes from or where it is
// kept.
//
// Keys are in key-file order, as espsecure reads and writes them; BLOCK1 of the
// eFuses holds the same bytes reversed.
//
// Sources: ESP32 TRM, "Flash Encryption and Decryption"; ESP-IDF
// docs/security/flash-encryption.rst; answers of espsecure 4.8.1 (testdata).
package flashcrypt
