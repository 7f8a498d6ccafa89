package lazysysmon

import "C"
