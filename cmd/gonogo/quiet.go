package main

import (
	"log/slog"
	"sync"

	"github.com/254carbon/gonogo/internal/platform/cluster"
)

// redirected guards the one log that client-go has for the whole process: it is set before the first connection and never again.
var redirected sync.Once

// quiet sends what client-go logs to the log as well, so that nothing is written over the board, and returns the log.
func quiet(log *slog.Logger) *slog.Logger {
	redirected.Do(func() { cluster.RedirectLogs(log) })
	return log
}
