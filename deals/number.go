package deals

import "kontrol/names"

// ValidINN is names.ValidINN.
func ValidINN(s string) bool { return names.ValidINN(s) }

// ValidKPP is names.ValidKPP.
func ValidKPP(s string) bool { return names.ValidKPP(s) }

// NormalPhone is names.NormalPhone.
func NormalPhone(s string) (string, bool) { return names.NormalPhone(s) }
