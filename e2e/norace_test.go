//go:build !race

package e2e_test

// raceDetector tells whether the tests look for data races; the binary is built
// to do so too.
const raceDetector = false
