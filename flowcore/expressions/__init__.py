"""The expression language: JMESPath in `{{ }}` (contract status, section 2)."""

from .evaluation import Expression, compile_expression, compile_search
from .names import spelled
from .references import Reference
from .searches import Search, Searches, no_search, patient_search
from .templates import Template, check_template, compile_template, constant, expression_end, to_text

__all__ = [
    "Expression",
    "Reference",
    "Search",
    "Searches",
    "Template",
    "check_template",
    "compile_expression",
    "compile_search",
    "compile_template",
    "constant",
    "expression_end",
    "no_search",
    "patient_search",
    "spelled",
    "to_text",
]
