"""Shared by the functions: one module for each reason to change."""

VERSION = "0.1.0"
