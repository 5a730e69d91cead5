package auth

// MechanismSource is a backend that says itself which mechanisms it serves on the
// connection of r, since their exchanges happen elsewhere.
type MechanismSource interface {
	Mechanisms(r Request) []Mechanism
}
