"""Whole models of older versions of Keras, drawn anew with today's layers."""
