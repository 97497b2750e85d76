"""What people see: read models folded from the log, one module for each endpoint family."""
