// Package station knows station profiles: the TOML file that says what one
// station makes of a blank unit, and how people work there. It loads a profile,
// refuses everything that is wrong with it in one go (file, line, key, what to
// do), fills in defaults, and explains in plain words what will be permanent.
//
// It does not know images, signatures, chips, keys or records: it never opens a
// file that the profile names, only says where it is. Whether those files fit
// together is judged by whoever reads them.
//
// Names of fuses are Espressif's: ESP32 TRM, "eFuse Controller"; ESP-IDF
// esp_efuse_table.csv. Why some combinations are refused is ESP-IDF's
// documentation of Flash Encryption and Secure Boot V1.
package station
