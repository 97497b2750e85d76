"""What comes in, before any resource sees it: who may ask, how much at a time, and in which form."""
