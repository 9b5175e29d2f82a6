"""The proof that a policy can't launder: for each rule, either no message exists by which it breaks the first law, or here is one.

The search (`search`) looks for a message that a rule takes and that the rules before it leave, by narrowing what each fact may still
be (`stores`): words and flags to a few, numbers and addresses to ranges (`ranges`), texts to what some globs match and others don't
(`language`), the risk to sums of weights that exist (`sums`). What a message can be at all stands in one place, `world`. `laws` asks
the questions, `example` shows the answer as the header of a message.

Where no message is found, there is none. Where one is found, `decide` and `predict` have confirmed it.
"""

from dkimgate.policy.proof.laws import Laundering, Law, Overlap, Proof, prove

__all__ = ["Laundering", "Law", "Overlap", "Proof", "prove"]
