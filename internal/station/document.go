package station

// document is the profile as it is written: the TOML types of every key, and the
// only list of the keys there are (schema.go reads it). Pointers tell "not
// written" from the zero value; any takes text or a whole number.
type document struct {
	Station struct {
		Name  string `toml:"name"`
		Site  string `toml:"site"`
		Line  string `toml:"line"`
		Armed bool   `toml:"armed"`
	} `toml:"station"`
	Link struct {
		Port  string  `toml:"port"`
		Baud  *[]int  `toml:"baud"`
		Reset *string `toml:"reset"`
		Stub  string  `toml:"stub"`
		Slots []struct {
			Number int64  `toml:"number"`
			Port   string `toml:"port"`
		} `toml:"slots"`
	} `toml:"link"`
	Unit struct {
		MinRevision  any     `toml:"min_revision"`
		MaxRevision  any     `toml:"max_revision"`
		CodingScheme *string `toml:"coding_scheme"`
		FlashSize    any     `toml:"flash_size"`
		Serial       struct {
			Pattern    *string `toml:"pattern"`
			CheckDigit *string `toml:"check_digit"`
			Source     *string `toml:"source"`
			Prefix     string  `toml:"prefix"`
			Next       string  `toml:"next"`
			File       string  `toml:"file"`
		} `toml:"serial"`
	} `toml:"unit"`
	Images struct {
		Bootloader           string  `toml:"bootloader"`
		PartitionTable       string  `toml:"partition_table"`
		PartitionTableOffset *int64  `toml:"partition_table_offset"`
		App                  string  `toml:"app"`
		AppPartition         string  `toml:"app_partition"`
		Extra                []extra `toml:"extra"`
	} `toml:"images"`
	SecureBoot struct {
		Version            *int64  `toml:"version"`
		PublicKey          string  `toml:"public_key"`
		Mode               *string `toml:"mode"`
		AllowUnverifiedApp bool    `toml:"allow_unverified_app"`
	} `toml:"secure_boot"`
	FlashEncryption struct {
		Mode        *string `toml:"mode"`
		Policy      *string `toml:"policy"`
		CryptConfig *int64  `toml:"crypt_config"`
	} `toml:"flash_encryption"`
	Lock struct {
		JTAGDisable         *bool     `toml:"JTAG_DISABLE"`
		ConsoleDebugDisable *bool     `toml:"CONSOLE_DEBUG_DISABLE"`
		DisableDLEncrypt    *bool     `toml:"DISABLE_DL_ENCRYPT"`
		DisableDLDecrypt    *bool     `toml:"DISABLE_DL_DECRYPT"`
		DisableDLCache      *bool     `toml:"DISABLE_DL_CACHE"`
		DisableSDIOHost     *bool     `toml:"DISABLE_SDIO_HOST"`
		UARTDownloadDis     *bool     `toml:"UART_DOWNLOAD_DIS"`
		Freeze              *[]string `toml:"freeze"`
	} `toml:"lock"`
	Keys struct {
		Custody    *string  `toml:"custody"`
		Recipients []string `toml:"recipients"`
		Identity   string   `toml:"identity"`
	} `toml:"keys"`
	Records struct {
		Database *string `toml:"database"`
	} `toml:"records"`
	BootCheck *struct {
		Expect  string   `toml:"expect"`
		Reject  []string `toml:"reject"`
		Seconds *int64   `toml:"seconds"`
	} `toml:"boot_check"`
	OTA struct {
		NextImage *string `toml:"next_image"`
	} `toml:"ota"`
	Job struct {
		ID       *string `toml:"id"`
		Revision string  `toml:"revision"`
		Quota    *int64  `toml:"quota"`
		Order    string  `toml:"order"`
	} `toml:"job"`
	People struct {
		Operators []string `toml:"operators"`
		Leads     []string `toml:"leads"`
		Engineers []string `toml:"engineers"`
		SignIn    *string  `toml:"sign_in"`
	} `toml:"people"`
	Scanner struct {
		Device  string  `toml:"device"`
		Prefix  string  `toml:"prefix"`
		Badge   *string `toml:"badge"`
		Job     *string `toml:"job"`
		Slot    *string `toml:"slot"`
		Command *string `toml:"command"`
	} `toml:"scanner"`
	Label struct {
		Printer  string  `toml:"printer"`
		Template string  `toml:"template"`
		ScanBack *bool   `toml:"scan_back"`
		Print    *string `toml:"print"`
	} `toml:"label"`
	Screen struct {
		Language         *string `toml:"language"`
		StopAfterSlot    *int64  `toml:"stop_after_slot"`
		StopAfterStation *int64  `toml:"stop_after_station"`
		Attempts         *int64  `toml:"attempts"`
		Target           *int64  `toml:"target"`
		LeadSeconds      *int64  `toml:"lead_seconds"`
		Mono             bool    `toml:"mono"`
	} `toml:"screen"`
}

// extra is one [[images.extra]] as written.
type extra struct {
	Path      string `toml:"path"`
	Offset    *int64 `toml:"offset"`
	Partition string `toml:"partition"`
	Encrypt   *bool  `toml:"encrypt"`
}
