"""Parsers and whatever they are given: an answer or an error of ours, soon, and in little memory."""

import json
import sqlite3
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from flowcore.codec import decode_text
