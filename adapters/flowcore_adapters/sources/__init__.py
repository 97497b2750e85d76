"""The kinds of sources: what does the work of a step. None of them knows another."""
