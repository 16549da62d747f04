"""Follow-ups over the sample corpus, and questions that stand for themselves.

The rules by which a follow-up is told from a new question were made on PAIRS and NEW. The others
were written afterwards, and the rules not changed for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FollowUp:
    """A question that leans on the one before it, and where its answer stands.

    `by_hand` is how a person would put it without the conversation; a passage of `document` that
    holds `words` answers it.
    """

    before: str
    question: str
    by_hand: str
    document: str
    words: str


PAIRS = [
    FollowUp(
        "How much does a bicycle cost?",
        "and for dogs?",
        "How much does a dog cost?",
        "price-list-2025.html",
        "Dog",
    ),
    FollowUp(
        "Where can I take my dog?",
        "How much does it cost then?",
        "How much does it cost to take a dog?",
        "price-list-2025.html",
        "Dog",
    ),
    FollowUp(
        "How much does an Islander Card cost?",
        "Who can have one?",
        "Who can have an Islander Card?",
        "faq.html",
        "main home has been on",
    ),
    FollowUp(
        "How much does an Islander Card cost?",
        "And how long is it valid?",
        "How long is an Islander Card valid?",
        "price-list-2025.html",
        "valid for three years",
    ),
    FollowUp(
        "Is there left luggage at the terminal?",
        "What does it cost?",
        "What does a locker for left luggage cost?",
        "faq.html",
        "lockers in the terminal",
    ),
    FollowUp(
        "Can I park at the terminal at Port Ennick?",
        "And at Castlewick?",
        "Can I park at the terminal at Castlewick?",
        "faq.html",
        "At Castlewick parking is free",
    ),
    FollowUp(
        "What did the repairs to MV Petrel cost after she hit Ulvary Pier?",
        "And the damage to the pier?",
        "What did the damage to Ulvary Pier cost?",
        "incident-report-petrel-ulvary-pier.md",
        "9,850",
    ),
    FollowUp(
        "What did the repairs to MV Petrel cost after she hit Ulvary Pier?",
        "How long was she out of service?",
        "How long was MV Petrel out of service after she hit Ulvary Pier?",
        "incident-report-petrel-ulvary-pier.md",
        "eleven days",
    ),
    FollowUp(
        "When was the Skerry Line museum opened?",
        "Is it free?",
        "Is the museum free?",
        "history-of-skerry-line.md",
        "admission is free",
    ),
    FollowUp(
        "Who founded Skerry Line?",
        "When was that?",
        "When was Skerry Line founded?",
        "history-of-skerry-line.md",
        "4 May 1961",
    ),
    FollowUp(
        "When was MV Aldith launched?",
        "What did she cost?",
        "What did MV Aldith cost?",
        "history-of-skerry-line.md",
        "21.4 million",
    ),
    FollowUp(
        "How many cars can MV Aldith carry?",
        "And the Brennan Corrie?",
        "How many cars can the Brennan Corrie carry?",
        "history-of-skerry-line.md",
        "32 cars",
    ),
    FollowUp(
        "E-417 alarm: below what pressure does it come on?",
        "What should I do then?",
        "What should I do after an E-417 alarm?",
        "engine-room-maintenance-manual.md",
        "start the emergency pump",
    ),
    FollowUp(
        "What does alarm E-231 mean?",
        "and E-560?",
        "What does alarm E-560 mean?",
        "engine-room-maintenance-manual.md",
        "E-560",
    ),
    FollowUp(
        "How much of the fare do I get back if I cancel two days before departure?",
        "What if I am ill?",
        "What do I get back if I cancel because I am ill?",
        "refund-policy-2025.md",
        "illness",
    ),
    FollowUp(
        "How long are vouchers valid?",
        "Can they be given to someone else?",
        "Can vouchers be given to another person?",
        "refund-policy-2025.md",
        "given to another person",
    ),
    FollowUp(
        "What does the excursion to Tarn Skerry cost for adults?",
        "When does it run?",
        "When does the excursion to Tarn Skerry run?",
        "price-list-2025.html",
        "1 May to 15 September",
    ),
    FollowUp(
        "May children travel alone?",
        "From what age?",
        "From what age may children travel alone?",
        "faq.html",
        "Children of 12",
    ),
    FollowUp(
        "Is there Wi-Fi on board?",
        "On the Petrel too?",
        "Is there Wi-Fi on the Petrel too?",
        "faq.html",
        "free Wi-Fi",
    ),
    FollowUp(
        "Can I charge my electric car on board?",
        "What is the price per kilowatt-hour?",
        "What is the price per kilowatt-hour for charging an electric car?",
        "price-list-2025.html",
        "52 pence",
    ),
    FollowUp(
        "When is MV Aldith in dry dock?",
        "Who replaces her on R1?",
        "Which ship replaces MV Aldith on R1 during docking?",
        "operations-meeting-notes-2025.txt",
        "takes over R1",
    ),
    FollowUp(
        "Who is the Technical Superintendent?",
        "What about the HR Manager?",
        "Who is the HR Manager?",
        "staff-handbook.md",
        "Beatrix Holm",
    ),
    FollowUp(
        "How often are the steering hoses replaced?",
        "How long does that take?",
        "How long does replacing a steering hose take?",
        "engine-room-maintenance-manual.md",
        "three hours",
    ),
    FollowUp(
        "What happens if my sailing is cancelled?",
        "What about hotel costs?",
        "Does Skerry Line pay hotel costs when a sailing is cancelled?",
        "refund-policy-2025.md",
        "room and meals",
    ),
    FollowUp(
        "How much does a parcel of 8 kg cost?",
        "Heavier ones?",
        "How much does a parcel heavier than 10 kg cost?",
        "price-list-2025.html",
        "10 to 25 kg",
    ),
]

# Questions that stand for themselves, asked after another.
NEW = [
    "How many days in advance are rosters published?",
    "Who founded Skerry Line?",
    "Are gas bottles allowed on motorhomes?",
    "What did the repairs to MV Petrel cost after she hit Ulvary Pier?",
    "E-417 alarm: below what pressure does it come on?",
    "long-stay parking Port Ennick price per day",
    "Is it possible to charge an electric car on the ferry?",
    "If I lose my Islander Card, how much does it cost to replace it?",
    "Bags that are found on board: how long are they kept?",
    "Where is Ulvary?",
    "What does E-203 mean?",
    "How many litres of gas oil does MV Aldith burn per hour at service speed?",
    "Are there discounts for groups of school children?",
    "What is the interval for the fuel filter of the main engine?",
]

OTHER_FOLLOW_UPS = [
    "Why?",
    "How late may they be returned?",
    "And if the weather is bad?",
    "Is that included in the price?",
    "What about children under five?",
    "In winter as well?",
    "Which ship is the oldest of them?",
    "Who runs it?",
    "How do I get there?",
    "Does she carry lorries?",
    "Only on weekdays?",
    "Do I have to pay for that in advance?",
    "Are there cheaper ones?",
    "Where is this written?",
    "When was he appointed?",
    "Since when?",
    "Can it be extended by another month?",
    "What is his phone number?",
    "But not on Sundays?",
    "How many of those are on board?",
    "More details please",
]
OTHER_NEW = [
    "What does a lounge seat on MV Aldith cost?",
    "Which ships carry dogs?",
    "When does the museum open?",
    "How is a steering hose replaced?",
    "Who takes over when the master falls ill?",
    "refund policy vouchers validity",
    "Are charging points on board free of charge?",
    "Is it allowed to smoke on the open deck?",
    "What must an engineer do when the E-203 alarm comes?",
    "How long are claims for delays accepted after the sailing?",
    "Does a passenger who cancels because of illness get the full fare back?",
    "How much parental leave do employees get?",
    "Who is Duncan Ferrier?",
    "What happened on 19 November 2024?",
    "Which documents does a new deckhand need before he may sail?",
    "Is there a discount for groups?",
    "Where can lost property be collected?",
    "Why did the steering of MV Petrel fail?",
    "How fast is MV Kittiwake?",
    "What do the letters IR stand for?",
]
