"""What can be asked of this server: said beside each responder, and told as OpenAPI."""
