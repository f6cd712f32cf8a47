package main

import (
	"log/slog"

	"k8s.io/klog/v2"
)

// quiet sends what client-go logs to the log as well, so that nothing is written over the board, and returns the log.
func quiet(log *slog.Logger) *slog.Logger {
	klog.LogToStderr(false)
	klog.SetSlogLogger(log)
	return log
}
