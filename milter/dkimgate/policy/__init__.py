"""From facts to a decision, by rules that an operator wrote.

`loader.load` reads the YAML file into a frozen `model.Policy`; `decide.decide` applies it to the facts of a message;
`guard` is the law that no policy can switch off. Nothing here knows a clock, DNS or a disk, the loader's one file
aside.
"""
