// Package worker is the process that serves the sessions of one uid. It is started for
// the first of them as that user, without any other right, and the parent ends it when
// there has been none for a while.
//
// It owns the streams that it is given, until their sessions have ended. How a session
// is served it does not know: it is given a serve.Handover, as the process is that does
// everything by itself.
package worker
