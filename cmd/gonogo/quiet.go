package main

import (
	"log/slog"

	"github.com/254carbon/gonogo/internal/platform/cluster"
)

// quiet sends what client-go logs to the log as well, so that nothing is written over the board, and returns the log.
func quiet(log *slog.Logger) *slog.Logger {
	cluster.RedirectLogs(log)
	return log
}
