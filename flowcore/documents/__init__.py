"""The front ends: one module for each document format, all compiled into the same `Flow`."""
