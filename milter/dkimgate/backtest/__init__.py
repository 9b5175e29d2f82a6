"""Deciding a journal again under another policy: what would have happened to the messages that passed.

`compare` puts one record beside the new verdict, `tally` counts, `pieces` cuts files into parts for several processes,
`run` drives them.
"""
