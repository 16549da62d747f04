r"""How orders to an assistant are worded, in six languages; the data of `injection`.

In a pattern ~ stands for some characters of the same sentence, ~~ for more of them, and a word in
capitals for a part that is named above. A sentence is read folded and on one line. Made from
the kinds of published attacks (OWASP LLM01), and two were narrowed where they found ordinary
sentences of SQuAD 2.0; `python -m tests.benchmarks.injection --false-alarms` counts those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_PARTS = {
    "~~": r"[^.!?。！？]{0,90}?",
    "~": r"[^.!?。！？]{0,40}?",
    "RULES": r"(?:instructions?|prompts?|directi(?:ves?|ons)|guidelines?|commands?|orders"
    r"|programming|messages?|context|passages?|training|inputs?)\b",
    "EARLIER": r"\b(?:previous|previously|prior|earlier|above|preceding|foregoing|system|your|given"
    r"|original|initial|everything)\b",
    "SPEAK": r"\b(?:say|reply|respond|answer|output|print|write|state|return|repeat|emit|type)\b",
    "REPLY": r"(?:answers?|responses?|repl(?:y|ies)|outputs?|summar(?:y|ies)|messages?)\b",
    "MODEL": r"(?:an? |the |any |all |every |this )?(?:helpful |large |other )?"
    r"(?:ai(?: (?:assistant|model|agent|system|language model))?s?|llms?|language models?"
    r"|(?:virtual |digital )?assistants?|chat ?bots?|chat ?gpt|claude|gemini|gpt-?\d\w*)\b",
    "PROMPT": r"\b(?:your|the|its) (?:\w+ ){0,2}?(?:system (?:prompt|message|instructions?)"
    r"|hidden (?:prompt|instructions?)|initial (?:prompt|instructions?)|developer message)\b",
    "SECRET": r"\byour (?:\w+ ){0,2}?(?:api[ _-]?keys?|secret keys?|access tokens?|credentials"
    r"|environment variables?|secrets|configuration)\b",
    "UNLESS_DENIED": r"(?<!not )(?<!n't )(?<!never )(?<!to )(?<!or )",
}
_PART = re.compile("|".join(sorted(_PARTS, key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class _Rules:
    """Patterns, and words, or beginnings of words, without one of which none of them matches."""

    words: frozenset[str]
    beginnings: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def may_match(self, words: frozenset[str]) -> bool:
        return not self.words.isdisjoint(words) or any(
            word.startswith(self.beginnings) for word in words
        )


def _rules(cues: str, *patterns: str) -> _Rules:
    beginnings = tuple(cue[:-1] for cue in cues.split() if cue.endswith("*"))
    words = frozenset(cue for cue in cues.split() if not cue.endswith("*"))
    return _Rules(words, beginnings, tuple(_compiled(pattern) for pattern in patterns))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_PART.sub(lambda part: _PARTS[part[0]], pattern), re.IGNORECASE)


# --- English -----------------------------------------------------------------------------------

_SET_ASIDE = _rules(
    "ignor* disregard* forget overrid* bypass discard instruction* prompt* directive* new",
    r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing|es)|bypass|discard)\b"
    r"~EARLIER~\bRULES",
    r"\b(?:ignore|disregard|forget|override|bypass) (?:all|any|every|these|those) (?:of )?"
    r"(?:the |your |other )*(?:\w+ )?(?:instructions|prompts|directives)\b",
    r"(?:^|[.:;,] ?|\b(?:please|must|now|and) )\W*(?:ignore|disregard|forget)"
    r" (?:everything|all|anything|what)(?: \w+){0,3} (?:above|before|so far|told|said)\b",
    r"\b(?:instructions|prompts?|directives)\b ~\b(?:are|is) (?:now )?(?:void|overridden|obsolete"
    r"|cancell?ed|superseded|suspended)\b~~\b(?:you|assistant|model)\b",
    r"\bnew (?:system )?(?:instructions?|directives?|prompt|task)(?: for (?:you|the \w+)"
    r"| follows?)? ?(?:[:\])]|$)",
)
_ADDRESSES = _rules(
    "ai artificial llm llms automated language you your assistant assistants give write chat"
    " chatbot chatgpt claude gemini unrestricted unfiltered jailbroken evil dan mode character",
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)"
    r"(?: (?:assistant|language model|model))?,? (?:you|i)\b",
    r"\bas an? (?:ai|large) (?:assistant|language model)\b",
    r"\b(?:if|since|because) you(?: are|'re) MODEL",
    r"^\W*(?:\w+ ){0,2}?(?:attention|dear|hey|hi|hello|note (?:to|for)|important(?: message)?"
    r" (?:to|for)|message (?:to|for)|instructions? (?:to|for)|to) ,?MODEL(?: \w+)? ?[,:;!—-]",
    r"\b(?:ai|llm|automated) (?:reviewer|reader|screener|grader|summari[sz]er|crawler|agent)s?"
    r" (?:must|should|shall|are to|have to|reading|who)\b",
    r"\b(?:give|write) (?:\w+ ){0,3}positive review\b(?: only|~\bnegative)",
    r"\byou (?:now )?have a (?:new|secret|hidden) (?:persona|identity|task|mission|agenda)\b",
    r"^\W*MODEL ?[,:!] ?(?:please |now )?(?:you|ignore|do not|don't|say|always|never|SPEAK)",
    r"\b(?:ai|llm|language model|chatbot)s?(?: \w+)? (?:reading|processing|summari[sz]ing"
    r"|analy[sz]ing) this\b",
    r"\byou (?:are|'re) (?:now|no longer) (?:an? )?(?:MODEL|dan\b|unrestricted|unfiltered|pirate"
    r"|free (?:from|of) (?:all|any|your)|bound by|in (?:developer|debug|god|admin|jailbreak) mode"
    r"|evil|root\b|\w+gpt\b)",
    r"\byour (?:new|real|actual|true|only|sole|secret|hidden) (?:task|instructions?|objective"
    r"|directive|purpose|persona|identity|goal|agenda|mission) (?:is|are)\b",
    r"\b(?:enter|enable|activate|switch to|now in) (?:developer|dan|god|jailbreak|unrestricted"
    r"|unfiltered|admin override) mode\b",
    r"\b(?:pretend|imagine|act as if|roleplay|role-play)\b~\byou (?:are|have)\b~\b(?:MODEL"
    r"|jailbroken|no (?:rules|restrictions|filters?|limits)|unrestricted|unfiltered"
    r"|an? (?:evil|pirate|hacker))",
    r"\b(?:act|roleplay|role-play|behave|respond) as (?:an? )?(?:unrestricted|unfiltered|dan\b"
    r"|jailbroken|evil|(?:\w+ ){1,2}without (?:any )?(?:restrictions?|rules|filters?|limits))",
    r"\b(?:stay|remain) in character\b~~\b(?:question|answer|reply|user)\b",
)
_ROLE_HEADERS = _rules(
    "system hidden admin* root developer security safety policy assistant human user instruction"
    " response",
    r"^\W*(?:begin |end |new |important |urgent |critical )?(?:system|admin(?:istrator)?|developer"
    r"|root) (?:prompt|message|override|instructions?|notice|command|directive|update) ?"
    r"(?:\([^)]*\))? ?[:>\])—-]",
    r"^\W*(?:system|assistant|developer|admin|human|user) ?[\])>]* ?: ?\W*(?:please |now )*"
    r"(?:ignore|disregard|you (?:are|must|will|should|may|have)|do not|don't|from now|always"
    r"|never|new|override|reveal|forget|SPEAK)",
    r"[\[(<](?:system|hidden|admin|assistant|developer) ?[:\])>] ?(?:override|ignore|new|disregard"
    r"|you |SPEAK)",
    r"^\W*#{2,} ?(?:instruction|system|response) ?:? ?(?:you|ignore|say|SPEAK)",
    r"^\W*(?:system|security|admin|safety|policy) override\b",
)
_WORDING = _rules(
    "say reply replies respond response* answer* output* print write state return repeat emit"
    " type summar* message* now user stop claim pretend",
    r"SPEAK~~\b(?:and|but) (?:say |write |output |do |add )?(?:absolutely )?nothing else\b",
    r"^\W*(?:\w+,? ){0,4}SPEAK (?:\w+ )?(?:only|just|exactly|verbatim|solely)(?: with)?"
    r"(?: the (?:words?|phrase|text|sentence|string|token))? ?[:\"'“‘«]",
    r"SPEAK (?:\w+ )?(?:only|exactly|just) (?:with )?the (?:words?|phrase|text|string|token)\b",
    r"SPEAK~~\b(?:no matter what|regardless of|whatever) (?:\w+ ){0,3}"
    r"(?:question|asked?|user|passages?|query)\b",
    r"\b(?:instead of|rather than) (?:answering|the answer)\b~~SPEAK",
    r"\b(?:repeat|print|output|recite) (?:everything|all|the (?:words|text|prompt|instructions))"
    r" (?:above|before (?:this|that))\b",
    r"\bbefore (?:answering|responding|replying)\b~\b(?:visit|open|fetch|call|go to|load)\b~"
    r"(?:https?:|www\.|\burl\b|\blink\b)",
    r"SPEAK~~\binstead of (?:answering|the answer|an answer)\b",
    r"\b(?:begin|start|end|finish|conclude|prefix|prepend|close|sign)"
    r" (?:your|every|each|all of your) (?:\w+ )?REPLY",
    r"\byour (?:\w+ )?REPLY (?:must|should|shall|has to|have to|needs? to|will|may) (?:only |"
    r"also |always |now )?(?:be|begin|start|end|contain|include|consist|say|read|mention)\b",
    r"\b(?:include|add|insert|append|put|embed|mention|place|render|show|display|write|attach|use)"
    r"\b~~\b(?:in|into|to|at|of|with) (?:(?:the )?(?:end|start|top|bottom|beginning) of )?"
    r"(?:your|every|each of your) (?:\w+ )?REPLY",
    r"\b(?:when|before|while|whenever|if)(?: you(?: are)?)? ?(?:answer|asked|respond|reply"
    r"|summari[sz])\w*~~\b(?:you must|always (?:say|add|include|mention|tell|end|state|recommend"
    r"|claim)|tell the user|say that|include (?:the|this|a)|append (?:the|this|a))",
    r"\b(?:tell|inform|convince|instruct|advise|ask|urge) the user (?:that|to|instead|about)\b~~"
    r"\b(?:link|http|visit|password|account|key|contact|call|send|safe|true|answer|click|pay"
    r"|is|are|has|no)\b",
    r"\bfrom now on,? (?:you (?:must|will|are|should|shall) (?:only|always|never|an? |the |be |act"
    r"|answer|respond|reply|say|speak|obey|ignore)|only |always |answer|respond|reply|say)",
    r"\bstop (?:answering|using the passages|following)\b~\b(?:questions?|passages|instructions"
    r"|prompts?|rules)\b",
    r"\b(?:say|claim|state|answer|write|pretend) (?:that )?~~\b(?:comes?|came|stems?) from"
    r" (?:the )?(?:passage|source) ?\[?\d",
)
_SILENCE = _rules(
    "mention* reveal* disclos* acknowledg* repeat* quot* show* tell* inform alert warn let"
    " use cite trust rely",
    r"\b(?:do not|don't|never|must not|without) (?:mention|reveal|disclos|acknowledg|repeat|quot"
    r"|show|tell(?:ing)? (?:anyone|the user|users) (?:about|that you))\w* (?:to (?:the user|anyone)"
    r" )?(?:about )?(?:this|these|that you|your|the above|the hidden|any of (?:this|these)"
    r"|having)\b~(?:instructions?|prompts?|messages?|notes?|comments?|orders?|commands?|told|text|been|read"
    r"|passages?)\b",
    r"\b(?:do not|don't|never) (?:tell|inform|alert|warn|let) the (?:user|human|reader)\b",
    r"\b(?:do not|don't|never) (?:use|cite|quote|trust|mention|rely on) (?:the |any |any of the )?"
    r"(?:other|remaining|above|previous|given|provided)"
    r" (?:passages?|sources?|documents?|context)\b",
)
_CITATIONS_AND_LINKS = _rules(
    "cite citation reference marker number source mark attribute passage image link url pixel"
    " iframe img query parameter address http*",
    r"(?:^\W*|[,;:] ?|\b(?:please|always|must|and|then|only|to|instead) )(?:cite|reference|use"
    r" (?:the )?(?:citation|marker|number|source)|mark it(?: with)?|attribute (?:it|this|that"
    r"|everything|your answer) to)\b~(?:\[\d{1,4}\]|\bpassage (?:number )?\d|\bsource \[?\d)",
    r"\b(?:include|add|insert|render|show|display|embed|output|append|load|emit|print)\b~\b(?:this"
    r"|the following|following|that|tracking|an?|the) (?:\w+ )?(?:markdown |html )?(?:image|link"
    r"|url|pixel|iframe|img)\b~~(?:!\[|\]\(|https?:|hxxp|<img|<a |data:|javascript:|//)",
    r"\b(?:replac(?:e|ing)|substitut(?:e|ing)|fill|append|encod(?:e|ing)|put|insert|add)\b~~\b(?:the"
    r" |a |your |this )(?:user'?s? )?(?:question|conversation|chat history|chat|api key|secret"
    r"|password|data|answer|key)\b~\b(?:url|query|parameter|image|link|address|http)",
)
_SECRETS = _rules(
    "prompt* instruction* message key keys token tokens credentials variable* secrets"
    " configuration conversation chat question data documents tool",
    r"UNLESS_DENIED\b(?:reveal|print|show|output|repeat|disclose|display|send|leak|tell|give|return"
    r"|write|expose|include|post|dump|copy|translate|summari[sz]e|recite)\b~PROMPT",
    r"UNLESS_DENIED\b(?:reveal|print|output|repeat|disclose|leak|expose|recite|dump)\b~SECRET",
    r"\b(?:send|post|email|forward|exfiltrate|transmit|upload|leak)\b~\b(?:the (?:user'?s?|whole"
    r"|entire) (?:question|conversation|chat|api key|data|documents|prompt)|the (?:api )?key"
    r"|(?:this|your) (?:conversation|chat history|prompt))\b~\b(?:to|at)\b",
    r"\bcall (?:the )?tool \w+_\w+",
)
_ENCODED = _rules(
    "decode decrypt unscramble decipher base64 rot13 hex encoded hexadecimal",
    r"\b(?:decode|decrypt|unscramble|decipher|base64|rot13|hex)\b~~\b(?:and|then) (?:\w+ )?"
    r"(?:follow|execute|obey|do what|run|act on|carry out)\b",
    r"\b(?:follow|execute|obey|carry out)\b~\b(?:base64|rot13|encoded|hex(?:adecimal)?)\b~"
    r"\b(?:instructions?|commands?|orders?|text|message|string)\b",
)

# --- other languages ---------------------------------------------------------------------------

_GERMAN = _rules(
    "ignorier* missacht* vergiss vergess* verwirf* überschreib* umgeh* nichts nicht antwort*"
    " bist ki künstliche sprachmodell prompt systemprompt system* api geheim* jetzt sofort"
    " füg* deine",
    r"\b(?:ignorier|missacht|vergiss|vergess|verwirf|überschreib|umgeh)\w*\b~\b(?:vorherig|bisherig"
    r"|vorangegangen|vorangehend|obig|früher|alle|sämtlich|system|dein|ursprünglich)\w*\b~\b"
    r"(?:system)?(?:anweisung|instruktion|befehl|vorgabe|prompt|regel|nachricht)",
    r"\b(?:antworte|sage?|schreibe?|gib|wiederhole|antworten sie|sagen sie|schreiben sie|geben sie)"
    r"\b~~\b(?:und (?:sonst )?nichts (?:anderes|weiter|sonst)|nichts anderes)\b",
    r"\b(?:vergiss|vergessen sie|ignorier\w*) alles\b~\b(?:vorher|bisher|oben|zuvor|gesagt)",
    r"\bantworte(?:n sie)? (?:nur|ausschließlich|immer|ab jetzt|stets) (?:noch )?mit\b",
    r"\bdu bist (?:jetzt|nun|ab (?:jetzt|sofort)|nicht (?:mehr|länger)) (?:ki|dan|frei|unbeschränkt"
    r"|(?:k?ein|an|im|d)\w* (?:\w+ )?(?:\w*assistent|ki|pirat|modell|chatbot|modus|\w*regeln))",
    r"\bals (?:ki|künstliche intelligenz|sprachmodell)\b~\b(?:du|musst|sollst)\b",
    r"\b(?:zeig|verrat|gib|nenn|wiederhol|schreib|druck)\w*\b~\b(?:dein\w*|ihre\w*|den|die)"
    r" (?:system-?prompt|systemanweisung|systemnachricht|api-?(?:schlüssel|key)|geheim)",
    r"\b(?:erwähne|verrate|sage?)\b~\bdem (?:nutzer|benutzer)\b~\bnichts?\b"
    r"|\berwähne (?:diese|dieses|das) \w+ nicht\b",
    r"\bab (?:jetzt|sofort) (?:antworte|sag|bist du|musst du|sollst du)",
    r"\bfüge?\b~~\b(?:deiner|jeder|ihrer) (?:antwort|ausgabe)\b",
    r"\bdeine (?:neue|einzige|wahre) (?:aufgabe|anweisung|rolle) (?:ist|lautet)",
)
_FRENCH = _rules(
    "ignore* oubli* néglig* contourn* annul* compte rien réponds répondez maintenant"
    " désormais dorénavant tant prompt invite message clé clef mention* révèl* utilisateur"
    " réponse",
    r"\b(?:ignor|oubli|néglig|contourn|annul)(?:e|er|ez|es)\b~\b(?:instructions?|consignes?"
    r"|directives?|règles?|ordres?|messages?)\b~(?:précédent|antérieur|ci-dessus|système|reçu"
    r"|initial)",
    r"\b(?:ignor|oubli|néglig)(?:e|er|ez|es) (?:toutes? |tous |les |tes |vos )+(?:instructions"
    r"|consignes|directives)\b",
    r"\b(?:oubli|ignor)(?:e|er|ez) tout ce qui\b",
    r"\bne (?:tiens|tenez) (?:pas|plus|aucun) compte\b~\b(?:instructions|consignes|ordres)",
    r"\b(?:répond|répondez|réponds|dis|dites|écris|écrivez|affichez?)\b~~\brien d'autre\b",
    r"\b(?:réponds|répondez) (?:uniquement|seulement|exclusivement|toujours) (?:par|avec)\b",
    r"\b(?:tu es|vous êtes) (?:maintenant|désormais|dorénavant) (?:libre|une? (?:\w+ )?(?:ia|pirate"
    r"|assistant|modèle|chatbot))",
    r"\ben tant qu'(?:ia|intelligence artificielle|assistant|modèle de langage)\b~\b(?:tu|vous)\b",
    r"\b(?:révèle|révélez|montre|montrez|affiche|affichez|donne|donnez|répète|répétez)\b~\b(?:ton"
    r"|votre|le|ta|la) (?:prompt|invite|message|clé|clef)\b~(?:système|api|secrète|initial)",
    r"\bne (?:mentionnez?|révèle|révélez|dis|dites)\b~\b(?:pas|jamais) (?:cette|ces|ce|à"
    r" l'utilisateur)\b~(?:instruction|consigne|message|note|utilisateur)",
    r"\b(?:à partir de maintenant|désormais),? (?:réponds|répondez|tu es|tu dois)",
    r"\b(?:ajoutez?|insère|insérez|inclus|incluez)\b~~\b(?:ta|votre|chaque) réponse\b",
)
_SPANISH = _rules(
    "ignor* olvid* descart* anul* omit* nada ninguna responde responda contest* ahora eres ia"
    " inteligencia modelo asistente prompt mensaje clave instrucci* mencion* revel* dig*"
    " respuesta",
    r"\b(?:ignor|olvid|descart|anul|omit)(?:a|e|ar|en|as|es|i|ad)\b~\b(?:instrucci|indicaci"
    r"|[óo]rden|regla|directri|mensaje)\w*\b~(?:anterior|previ|de arriba|del sistema|original)",
    r"\b(?:ignor|olvid)[ae] (?:todas? |todos |las |tus |sus )+(?:instrucciones|indicaciones"
    r"|directrices)\b",
    r"\b(?:di|diga|responde|responda|escribe|escriba|contesta|conteste|imprime)\b~~\b(?:y nada más"
    r"|nada más que|y ninguna otra cosa)\b",
    r"\b(?:olvid|ignor)[ae] todo lo (?:anterior|dicho|que)\b",
    r"\b(?:responde|responda|contesta|conteste) (?:únicamente|solamente|solo|sólo|siempre) con\b",
    r"\b(?:ahora eres|eres ahora|ya no eres) (?:libre|una? (?:\w+ )?(?:ia|pirata|asistente|modelo"
    r"|chatbot))",
    r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje|asistente de ia)\b~"
    r"\b(?:debes|tienes)\b",
    r"\b(?:revel[ae]|muestr[ae]|imprim[ae]|repit[ae]|dime)\b~\b(?:tu|su|el|la) (?:prompt|mensaje"
    r"|clave|instrucci)\w*\b~(?:sistema|api|secret|inicial)",
    r"\bno (?:mencion|revel|dig)(?:es|e|as|a)\b~\b(?:esta|estas|este|al usuario)\b~"
    r"(?:instrucci|mensaje|nota|usuario)",
    r"\b(?:a partir de ahora|desde ahora),? (?:responde|responda|eres|debes|di|contesta)\b",
    r"\b(?:añad|agreg|incluy|insert)(?:e|a|ue)\b~~\b(?:tu|su|cada) respuesta\b",
)
_RUSSIAN = _rules(
    "игнор* проигнор* забу* забыва* отмени* пренебрег* обращай ничего отвеч* ответ* ты как"
    " раскр* покаж* вывед* назов* повтор* сообщ* напечат* упоминай* раскрывай* говори* отныне"
    " впредь момента добав* встав* включ*",
    r"\b(?:игнориру|проигнориру|забуд|забыва|отмени|пренебрег|не обращай внимания)\w*\b~"
    r"\b(?:предыдущ|прежн|прошл|выше|вс[её]|все[хм]|системн|ранее|сво[иё])\w*\b~"
    r"(?:инструкц|указан|команд|правил|подсказ|промпт|сообщени)",
    r"\b(?:ответь|отвечай|скажи|напиши|выведи|говори|ответьте|отвечайте|скажите|напишите)\b~~"
    r"\b(?:и ничего (?:больше|другого|кроме|ин)|ничего (?:другого|кроме))",
    r"\bзабудь(?:те)? вс[её]\b~(?:сказано|выше|раньше|прежде|до этого)",
    r"\b(?:отвечай|отвечайте|ответь) (?:только|исключительно|всегда)\b",
    r"\bты (?:теперь|больше не|отныне|сейчас) (?:не )?(?:ии|помощник|ассистент|пират|модель|dan"
    r"|\w+бот|свобод|хакер)",
    r"\bкак (?:ии|искусственный интеллект|языковая модель)\b~\b(?:ты|должен|вы)\b",
    r"\b(?:раскрой|покажи|выведи|назови|повтори|сообщи|напечатай)\w*\b~\b(?:сво[йию]|системн\w+"
    r"|тво[йию])\b~(?:промпт|подсказк|инструкц|ключ|сообщени)",
    r"\bне (?:упоминай|раскрывай|говори|сообщай)\w*\b~\b(?:эт[ову]\w*|об этом|пользовател\w+)\b",
    r"\b(?:с этого момента|отныне|впредь),? (?:отвечай|ты|говори|вы)",
    r"\b(?:добавь|вставь|включи)\w*\b~~\b(?:в|к) (?:сво[йеюя]\w*|кажд\w+) ответ",
)
_CHINESE = tuple(
    _compiled(pattern)
    for pattern in (
        r"(?:忽略|无视|無視|忽视|忽視|忘记|忘記|忘掉|不要理会|不要遵守|不要遵循)[^。！？]{0,12}"
        r"(?:之前|以前|先前|上述|以上|前面|所有|此前|系统|系統|一切|原有)[^。！？]{0,10}"
        r"(?:指令|指示|提示|命令|规则|規則|要求|设定)",
        r"(?:只|仅|僅)(?:需要?|能|要|须|須|可以?|准|用)?[^。！？]{0,4}(?:回答|回复|回覆|输出|輸出"
        r"|说|說)[:：“\"「『]",
        r"(?:回答|回复|输出|说)[^。！？]{0,40}(?:不要(?:说|輸出|输出|写|回答)(?:任何)?(?:其他|别的)"
        r"|别的什么都不要说)",
        r"你(?:现在|現在|从现在起|從現在起|不再)(?:是|扮演|必须|必須)",
        r"从现在(?:起|开始)[^。！？]{0,6}你?(?:必须|只能|要|是|回答|将)",
        r"(?:透露|输出|輸出|显示|顯示|泄露|告诉我?|告訴|打印|重复|重複)[^。！？]{0,10}"
        r"(?:系统提示|系統提示|提示词|提示詞|密钥|密鑰|API ?key)",
        r"作为(?:一个|一名)?(?:AI|人工智能|语言模型|助手)[^。！？]{0,10}(?:你|必须|应该|请)",
        r"(?:不要|不得|别)(?:提及|提到|告诉用户|透露|说出)[^。！？]{0,8}(?:这|此|本|指令|用户)",
        r"在(?:你的|每个|每次)?(?:回答|回复)(?:中|里|末尾|开头)[^。！？]{0,6}"
        r"(?:加上|加入|包含|插入|附上)",
    )
)

_ALL = (
    _SET_ASIDE, _ADDRESSES, _ROLE_HEADERS, _WORDING, _SILENCE, _CITATIONS_AND_LINKS, _SECRETS,
    _ENCODED, _GERMAN, _FRENCH, _SPANISH, _RUSSIAN,
)  # fmt: skip
_HAN = re.compile(r"[\u4e00-\u9fff]")
# An image whose address has a place for what the assistant knows.
_CARRIER = re.compile(
    r"!\[[^\]]*\]\([^)]*(?:\{\w*(?:question|key|secret|data|history|answer)\w*\}"
    r"|[?&=/](?:SECRET|API_?KEY|QUESTION|DATA|YOUR_\w+))",
    re.IGNORECASE,
)

# --- what belongs to an order ------------------------------------------------------------------

_SIGN = re.compile(
    r"^\W*(?:(?:now|then|also|instead|please|next|and|finally|important|always|only|just|first"
    r"|afterwards|system|assistant) ?[,:]? ?)*(?:say|reply|respond|answer|write|print|output"
    r"|repeat|cite|include|add|append|insert|render|embed|display|reveal|send|call|pretend|act"
    r"|claim|tell|end your|begin your|translate|decode|follow (?:these|this|my)|execute|obey"
    r"|recommend|ignore|disregard|forget|override|it decodes|do (?:exactly|as|what)"
    r"|this (?:is an order|overrides|has priority)|do not (?:mention|tell|reveal|say|cite|quote"
    r"|answer|follow|use)|never (?:mention|tell|reveal|say|refuse)"
    r"|you (?:are|must|will|shall|may not|have no|can|only))\b"
    r"|^\W*(?:sage?|antworte|schreibe?|gib|erwähne|füge?|dis|réponds|écris|ajoute|ne mentionne|di"
    r"|responde|escribe|añade|no menciones|скажи|ответь|напиши|добавь|не упоминай|выведи)\b"
    r"|^\W*(?:请|請)?(?:说|說|回答|输出|輸出|只|不要|加上|引用)"
    r"|^\W*(?:\[[^\]]+\]: ?)?(?:https?://|hxxp|www\.)\S*$|!\[[^\]]*\]\(|<(?:img|a|iframe|script)\b|\b(?:javascript|data):\S|\[\d{2,4}\]"
    r"|<\|[^|>]*\|>|\[/?INST\]|<</?SYS>>|-{3,} ?(?:begin|end|start)\b"
    r"|\bassistants?\b|\bsystem prompt\b|\bnothing else\b|\bthe user\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:decod|decrypt|decipher|unscrambl|base ?64|rot13|dekodier|entschlüssel|décod|decodific"
    r"|декодир|расшифру)|解码|解碼",
    re.IGNORECASE,
)
_OBEY = re.compile(
    r"\b(?:follow|execute|obey|instruct|act on|carry out|do what|command|befolg|führ|ausführ|suis"
    r"|exécut|sigue|ejecut|выполни|следуй)|执行|執行|遵循",
    re.IGNORECASE,
)


@lru_cache(maxsize=2_048)  # the same passages are read for several prompts
def is_order(words: str) -> bool:
    """Whether a sentence gives an order to an assistant, with no need to see what is around it."""
    distinct = frozenset(re.findall(r"\w+", words.lower()))
    for rules in _ALL:
        if rules.may_match(distinct) and _any(rules.patterns, words):
            return True
    return bool("![" in words and _CARRIER.search(words)) or bool(
        _HAN.search(words) and _any(_CHINESE, words)
    )


def _any(patterns: tuple[re.Pattern[str], ...], words: str) -> bool:
    return any(pattern.search(words) for pattern in patterns)


def is_sign(words: str) -> bool:
    """Whether a sentence beside an order is likely to be a part of it."""
    return bool(_SIGN.search(words))


def announces_code(words: str) -> bool:
    """Whether a sentence says that something is to be decoded and obeyed."""
    return bool(_CODE.search(words) and _OBEY.search(words))
