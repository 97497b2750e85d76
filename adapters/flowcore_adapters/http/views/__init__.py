"""Views of one run: the most recent one or a named one, now, earlier, or as soon as there is news."""
