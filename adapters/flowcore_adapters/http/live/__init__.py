"""Live events of all runs: one feed from the log, told over Socket.IO and as Server-Sent Events."""
