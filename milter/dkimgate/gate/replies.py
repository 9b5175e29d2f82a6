"""What a client is told with a 4xx reply, where the gate itself and no rule of the policy lets a message wait."""

from __future__ import annotations

NOT_RECORDED = "the decision can't be recorded, try again later"
NOT_CHECKED = "this message can't be checked, try again later"
NOT_JUDGED = "this message can't be judged, try again later"
TOO_COSTLY = "this message takes too long to judge, try again later"
