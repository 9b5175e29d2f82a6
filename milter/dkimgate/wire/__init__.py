"""The milter protocol as it goes over the wire, for both ends of it: `protocol` has its words, `packets` its form."""
