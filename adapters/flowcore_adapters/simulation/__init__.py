"""The engine's rules under a clock that jumps, programs that die and a log that loses what it has not acknowledged."""
