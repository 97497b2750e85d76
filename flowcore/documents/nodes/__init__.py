"""The flow of nodes as a front end: a flow and its node definitions (documents/flow-api.md, contract flow-runs).

`reading` types the document, `validation` says everything that is wrong with it, `compilation` makes a `Flow` of it.
"""
