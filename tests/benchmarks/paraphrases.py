"""A paraphraser by rules: everyday synonyms, fronted phrases, active for passive.

It knows nothing of ragkit's own table of synonyms, and is for tests.benchmarks.citations alone.
"""

from __future__ import annotations

import random
import re

# Regular verbs: all forms of the left one become the same form of the right one, and the reverse.
_VERBS = """
start:commence finish:complete assist:support demonstrate:illustrate employ:utilize
require:necessitate obtain:acquire construct:erect purchase:acquire happen:occur attempt:endeavor
allow:enable remain:stay establish:found locate:situate consider:regard develop:evolve
expand:extend reduce:lessen increase:raise improve:enhance protect:guard destroy:demolish
receive:gain publish:issue describe:portray suggest:propose examine:inspect investigate:explore
observe:notice contain:hold produce:generate control:govern collect:gather connect:link
decide:resolve discover:uncover divide:split enter:access ensure:guarantee exceed:surpass
expect:anticipate explain:clarify express:voice identify:recognize indicate:signal
influence:affect introduce:launch join:unite maintain:preserve manage:administer
mention:cite move:shift name:call note:remark oppose:resist permit:allow perform:execute
persuade:convince possess:own predict:forecast prevent:block promote:advance
provide:supply question:doubt replace:supplant request:ask reside:live
respond:reply restore:repair reveal:disclose separate:detach settle:colonize
transport:carry travel:journey treat:handle visit:tour want:desire
assess:evaluate analyze:study associate:correlate attack:assault
display:exhibit modify:alter
"""
_NOUNS = """
area:region author:writer battle:fight border:boundary cause:reason child:kid city:town
component:element concept:idea conflict:dispute country:nation damage:harm
difficulty:problem disease:illness duty:obligation effect:impact employee:worker error:mistake
example:instance feature:characteristic field:domain film:movie goal:objective group:team
habitat:environment home:residence journey:voyage job:occupation kind:sort language:tongue
law:statute leader:chief method:approach money:cash name:title objective:aim opinion:view
origin:source parent:guardian part:portion period:era person:individual place:location
population:populace power:authority price:cost purpose:aim rate:pace result:outcome
rule:regulation scholar:academic shop:store soldier:trooper structure:building
student:pupil subject:topic task:assignment teacher:instructor technique:method
territory:land theory:hypothesis threat:danger trial:experiment vehicle:car victim:casualty
war:conflict wealth:fortune work:labor
advantage:benefit amount:quantity analysis:examination answer:response attempt:try
company:firm customer:client decline:drop growth:expansion
investigation:inquiry lack:shortage risk:hazard role:function stage:phase
"""
_OTHERS = """
also:too although:though approximately:roughly big:large quickly:rapidly frequently:often
primarily:mainly mostly:largely nearly:almost entirely:completely initially:originally
eventually:finally subsequently:later previously:formerly currently:presently
significant:notable important:crucial major:leading famous:renowned ancient:antique
numerous:many several:various whole:entire huge:enormous rich:wealthy difficult:hard
simple:easy common:widespread typical:usual different:distinct similar:alike
powerful:mighty rapid:fast sufficient:enough modern:contemporary
necessary:essential possible:feasible probably:likely particularly:especially
however:nevertheless therefore:thus because:since despite:notwithstanding
throughout:across within:inside around:about among:amongst during:throughout
began:started became:grew built:constructed led:headed made:created wrote:penned
took:seized gave:granted held:possessed kept:retained chose:selected bought:purchased
said:stated told:informed thought:believed grew:expanded fought:battled
known:recognized shown:demonstrated given:granted written:authored spoken:uttered
main:principal biggest:largest wide:broad
"""


def _inflected(verb: str) -> list[str]:
    """Return a regular verb's forms: base, third person, past, and -ing."""
    if verb.endswith("e"):
        return [verb, f"{verb}s", f"{verb}d", f"{verb[:-1]}ing"]
    if re.search(r"[^aeiou]y$", verb):
        return [verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"]
    ending = "es" if re.search(r"(?:s|sh|ch|x)$", verb) else "s"
    return [verb, verb + ending, f"{verb}ed", f"{verb}ing"]


_IRREGULAR = {
    "hold": ["hold", "holds", "held", "holding"],
    "split": ["split", "splits", "split", "splitting"],
    "control": ["control", "controls", "controlled", "controlling"],
    "permit": ["permit", "permits", "permitted", "permitting"],
    "occur": ["occur", "occurs", "occurred", "occurring"],
    "travel": ["travel", "travels", "traveled", "traveling"],
    "prevent": ["prevent", "prevents", "prevented", "preventing"],
    "signal": ["signal", "signals", "signaled", "signaling"],
    "forecast": ["forecast", "forecasts", "forecast", "forecasting"],
}
_PLURALS = {"child": "children", "person": "people", "analysis": "analyses"}


def _plural(noun: str) -> str:
    if noun in _PLURALS:
        return _PLURALS[noun]
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return noun + ("es" if re.search(r"(?:s|sh|ch|x)$", noun) else "s")


def _pairs(listed: str) -> list[tuple[str, str]]:
    found = (pair.split(":") for pair in listed.split())
    return [(left, right) for left, right in found]


def _synonyms() -> dict[str, list[str]]:
    forms: list[tuple[str, str]] = list(_pairs(_OTHERS))
    for left, right in _pairs(_VERBS):
        lefts, rights = (_IRREGULAR.get(v) or _inflected(v) for v in (left, right))
        forms += list(zip(lefts, rights, strict=True))[1:]  # the base may be a noun
    for left, right in _pairs(_NOUNS):
        forms += [(left, right), (_plural(left), _plural(right))]
    table: dict[str, list[str]] = {}
    for left, right in forms:
        table.setdefault(left, []).append(right)
        table.setdefault(right, []).append(left)
    return table


SYNONYMS = _synonyms()
PAIRS = [*_pairs(_VERBS), *_pairs(_NOUNS), *_pairs(_OTHERS)]
_REPLACED_SHARE = 0.8

_PHRASE = re.compile(
    r"^(?P<rest>[^,;:()]{30,}) (?P<phrase>(?:in|during|after|before|since|until|because|although"
    r"|when|while|through|throughout|among|under) [^,;:()]{4,60})\.$"
)
_FRONTED = re.compile(
    r"^(?P<phrase>(?:In|During|After|Before|Since|Until|Because|Although|When|While|By|Under|For)"
    r" [^,;:()]{3,60}), (?P<rest>[^;:()]{20,})\.$"
)
_PASSIVE = re.compile(
    r"^(?P<patient>[^,;:()]{3,60}?) (?:was|were) (?P<verb>(?!need|indeed)\w+ed) by"
    r" (?P<agent>[^,;:()]{3,60}?)(?P<tail> (?:in|during|after|on|at) [^,;:()]+)?\.$"
)
# A sentence that begins so keeps its capital when it is moved.
_LOWERABLE = re.compile(
    r"^(?:The|A|An|This|These|Those|That|It|He|She|They|There|Its|His|Her|Their|Some|Many|Most"
    r"|Several|All|Both|Each|In|During|After|Before|Since|Until|Because|Although|When|While|By"
    r"|Under|For|Such|Other|One|Two|Three|No|Our|We|As|At|On|From|With|If)\b"
)


def paraphrase(sentence: str, random_source: random.Random) -> str:
    """Return the sentence in other words and, where a rule fits, in another order; "" if it can't.

    At least two words are replaced, or one where the order changes too.
    """
    replaced, count = with_synonyms(sentence, random_source)
    reordered = reorder(replaced)
    if count >= 2 or (count and reordered != replaced):
        return reordered
    return ""


def with_synonyms(sentence: str, random_source: random.Random) -> tuple[str, int]:
    """Return the sentence with most of its replaceable words replaced, and how many were."""
    count = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        options = SYNONYMS.get(match[0])
        if not options or random_source.random() > _REPLACED_SHARE:
            return match[0]
        count += 1
        return random_source.choice(options)

    return re.sub(r"(?<![\w-])[a-z]+(?![\w-])", replace, sentence), count


def reorder(sentence: str) -> str:
    """Return the sentence with a phrase moved, or in the active voice; as it is if none fits."""
    if match := _PASSIVE.match(sentence):
        agent = match["agent"]
        tail = match["tail"] or ""
        return f"{agent[0].upper()}{agent[1:]} {match['verb']} {_lowered(match['patient'])}{tail}."
    if match := _FRONTED.match(sentence):
        rest = match["rest"]
        return f"{rest[0].upper()}{rest[1:]} {_lowered(match['phrase'])}."
    if match := _PHRASE.match(sentence):
        phrase = match["phrase"]
        return f"{phrase[0].upper()}{phrase[1:]}, {_lowered(match['rest'])}."
    return sentence


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:] if _LOWERABLE.match(text) else text
