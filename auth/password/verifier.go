package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// ErrUnsupported says that a stored password has a form that is unknown or
// malformed, or that it asks for more work or memory than is allowed.
var ErrUnsupported = errors.New("unsupported stored password")

// defaultMemory is the memory in bytes that checks may take if Limits does not
// say.
const defaultMemory = 256 << 20

// usual is what Waste computes when nothing better is known: SHA-512 crypt with
// its default rounds, the hash of most Linux systems.
const usual = "$6$VtnNcNIz1wCz.oT9$AH.ckJJTzyl48owWqqHCcOTnxSNk40sfOWtwtfzeU5Hf5SZPRW9.L6GHYAjWiwyd6v4cBTOPMqAnIVm3Xs2/k/"

// Verifier checks passwords, a bounded number at once. It is safe for
// concurrent use. The zero value is not usable.
type Verifier struct {
	workers *semaphore.Weighted // checks that may compute
	memory  *semaphore.Weighted // bytes that they may take
	limit   int64               // of memory
	checks  atomic.Int64
}

// Limits bound what checks may take together.
type Limits struct {
	Workers int   // hashes computed at once; 0: one per CPU
	Memory  int64 // bytes for all of them, and so the most for one; 0: 256 MiB
}

// NewVerifier returns a Verifier. (Hashes that Dovecot makes with its Argon2id
// defaults want Memory above 1 GiB.)
func NewVerifier(l Limits) *Verifier {
	if l.Workers <= 0 {
		l.Workers = runtime.GOMAXPROCS(0)
	}
	if l.Memory <= 0 {
		l.Memory = defaultMemory
	}
	return &Verifier{
		workers: semaphore.NewWeighted(int64(l.Workers)),
		memory:  semaphore.NewWeighted(l.Memory),
		limit:   l.Memory,
	}
}

// Verify reports whether password is the one that stored was made from. It
// waits for its turn until ctx ends; a check that has begun is finished, which
// takes a few seconds at most. An error is ErrUnsupported or the context's.
func (v *Verifier) Verify(ctx context.Context, stored, password string) (bool, error) {
	h, err := v.parse(stored)
	if err != nil {
		return false, err
	}
	return v.compute(ctx, h, password)
}

// Waste does the work of verifying password against like and ignores the
// result: what an unknown account costs. like is a stored password of the kind
// that the accounts have; if it is empty or not supported, a usual one is
// taken. An error is the context's.
func (v *Verifier) Waste(ctx context.Context, like, password string) error {
	h, err := v.parse(like)
	if err != nil {
		if h, err = v.parse(usual); err != nil {
			return err
		}
	}
	_, err = v.compute(ctx, h, password)
	return err
}

// Checks returns how many checks were computed so far, wasted ones included.
func (v *Verifier) Checks() int64 { return v.checks.Load() }

// parse reads a stored password and holds it against the limits.
func (v *Verifier) parse(stored string) (hash, error) {
	h, err := parse(stored)
	if err == nil && (h.memory > v.limit || h.traffic > 8*v.limit) {
		return hash{}, unsupported("asks for %d MiB", max(h.memory, h.traffic/8)>>20)
	}
	return h, err
}

// compute takes memory before a worker: one that waits for memory must not
// keep a CPU from a cheap check.
func (v *Verifier) compute(ctx context.Context, h hash, password string) (bool, error) {
	if err := v.memory.Acquire(ctx, h.memory); err != nil {
		return false, fmt.Errorf("waiting to check a password: %w", err)
	}
	defer v.memory.Release(h.memory)
	if err := v.workers.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("waiting to check a password: %w", err)
	}
	defer v.workers.Release(1)
	v.checks.Add(1)
	return h.match(password), nil
}
