package fault

// The published codes. Their pages are in table.go.
const (
	NoAnswer         Code = "E101"
	Garbled          Code = "E102"
	NotDownloadMode  Code = "E103"
	PortMissing      Code = "E104"
	PortBusy         Code = "E105"
	PortNotPermitted Code = "E106"
	LinkLost         Code = "E107"
	DownloadDisabled Code = "E108"
	UnitChanged      Code = "E109"
	StillOpen        Code = "E110"

	WrongChip      Code = "E201"
	WrongRevision  Code = "E202"
	CodingScheme   Code = "E203"
	FlashSize      Code = "E204"
	ForeignSecured Code = "E205"
	BadMAC         Code = "E206"
	WrongCrystal   Code = "E207"
	FlashProtected Code = "E208"
	OtherPolicy    Code = "E209"
	FailedTooOften Code = "E210"

	ReadBack      Code = "E301"
	LockMissing   Code = "E302"
	Contradictory Code = "E303"
	KeyUncertain  Code = "E304"
	CannotBurn    Code = "E305"

	EraseFailed  Code = "E401"
	WriteFailed  Code = "E402"
	DigestDiffer Code = "E403"

	SerialUsed    Code = "E501"
	MACKnown      Code = "E502"
	SerialForm    Code = "E503"
	SerialMissing Code = "E504"
	NotInOrder    Code = "E505"
	QuotaEmpty    Code = "E506"
	ScanUnknown   Code = "E507"

	Database  Code = "E601"
	DiskFull  Code = "E602"
	KeySafety Code = "E603"
	KeyReused Code = "E604"

	PrinterFailed Code = "E605"
	LabelMismatch Code = "E606"

	NotDurable Code = "E607"

	BootRefused Code = "E701"
	BootTimeout Code = "E702"
	BootBurnt   Code = "E703"

	NotEncrypted Code = "E704"

	BadProfile   Code = "E801"
	FileMissing  Code = "E802"
	AppUnsigned  Code = "E803"
	AppWrongKey  Code = "E804"
	NoVerifyKey  Code = "E805"
	BadImage     Code = "E806"
	AlreadyCrypt Code = "E807"
	BadTable     Code = "E808"
	DoesNotFit   Code = "E809"
	WrongTarget  Code = "E810"
	Unsupported  Code = "E811"
	NotArmed     Code = "E812"

	BegunOtherwise Code = "E813"

	Internal    Code = "E901"
	Interrupted Code = "E902"
	ClockWrong  Code = "E903"

	SlotStopped    Code = "E904"
	StationStopped Code = "E905"
	NotAllowed     Code = "E906"
	SetAside       Code = "E907"
	TakenOver      Code = "E908"
)
