"""The batch: runs that are started together and wait for their turn. It knows them by their ids alone."""
