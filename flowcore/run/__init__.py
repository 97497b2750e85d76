"""The run as an aggregate: events, commands, machine, state, evolve, decide, effects."""
