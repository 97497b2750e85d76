"""The web page that shows a run as it goes: files, and who hands them out. What it shows it asks of `/status`."""
