// Package efuse knows which eFuse bit of the classic ESP32 means what, which of
// them may be burnt and in what order, how a burn is done and read back, and what
// state a chip is in. It does not know serial ports, where keys come from,
// operators, or records: it is handed two register calls and says what it saw.
//
// The ways in: Read takes the words off a chip, Classify says what they mean for
// us, Plan (or Preview, for showing) lists the burns that are left, and Execute
// does one of them. Execute is the only function here that writes to a chip, and
// it takes only a Burn, which only this package can make.
//
// Sources: ESP32 TRM, "eFuse Controller"; ESP-IDF efuse_reg.h and
// esp_efuse_table.csv; checked against register images made by espefuse 4.8.1.
package efuse
