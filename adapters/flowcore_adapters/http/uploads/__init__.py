"""Objects of the stores without a server of their own, put and fetched with signed URLs."""
