"""The HTTP side: parse, call, serialise. Nothing here knows what a run may do; the views know what it looks like."""
