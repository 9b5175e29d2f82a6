"""The proof that a policy can't launder: for each rule, either no message exists by which it breaks the first law, or
here is one.

`search` looks for a witness: a message that a rule takes and that the rules before it leave. It narrows what each fact
may still be (`stores`): words, flags and texts to a few (`texts` has those that a policy can tell apart), numbers and
addresses to ranges (`ranges`), the risk to sums of weights that exist (`arithmetic`). `formula` holds the conditions of
a policy as the search takes them, `universe` every message that can be. `witness` makes one message of what is left.
`prover` answers the questions that `laws` and `subsumption` ask, and `report` says in words what came of them.

Where no witness is found, there is none. Where one is found, `decide` and `predict` have confirmed it.
"""

from dkimgate.policy.laundering import Law
from dkimgate.policy.proof.laws import Laundering, Proof, prove
from dkimgate.policy.proof.subsumption import Overlap, Unreachable, overlaps, uncovered, unreachable

__all__ = ["Laundering", "Law", "Overlap", "Proof", "Unreachable", "overlaps", "prove", "uncovered", "unreachable"]
