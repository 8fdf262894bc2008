"""How people ask: for every question form a set of wordings to train on and a set kept for the test only.

`{who}` is a way to name the person, `{do}`, `{does}`, `{doing}` an action in the base form, third person or participle, `{a}` and
`{b}` likewise two actions (participles), `{limb}` a body part.
"""

from __future__ import annotations

import random

WHO = ("the person", "the person", "the person", "someone", "he", "she", "the figure", "the subject", "the actor", "this person", "the man",
       "the woman", "the human", "the character", "the performer", "the body", "the dancer", "the patient", "the user", "the player")  # fmt: skip

_LEADS = ("", "", "", "", "", "", "", "", "In this clip, ", "Tell me, ", "In this recording, ", "Please tell me: ", "Question: ", "Look closely. ", "Hi, ", "In the motion, ",
          "Can you say: ", "Watch the movement. ", "I would like to know: ", "Based on the motion, ")  # fmt: skip

WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "action": (
        (
            "What is {who} doing?", "What does {who} do?", "What action is performed?", "Which action is this?", "What is happening?", "Name the action.",
            "What movement is {who} making?", "What is going on here?", "What activity is shown?", "Identify the action.", "What kind of movement is this?",
            "How would you name this action?", "What motion is this?", "What is this person up to?", "Which activity does {who} carry out?", "What did {who} do?",
            "Can you name what {who} is doing?", "What do you see {who} do?", "Recognise the action.", "What exercise or action is it?", "Action?",
            "what's {who} doing", "Say what {who} does.", "Classify this movement.", "What is shown in this motion?",
        ),
        ("What act is being carried out by {who}?", "Which movement can be seen here?", "What would you call what {who} is doing?", "Could you recognise the activity?"),
    ),
    "displacement": (
        (
            "Which way does {who} move?", "In which direction does {who} travel?", "Where does {who} go?", "In what direction does {who} move overall?",
            "Does {who} move forward, backward, left or right?", "Which direction does {who} go in?", "Which way does {who} travel?", "Where does {who} end up relative to the start?",
            "In which direction is {who} moving?", "What is the direction of travel?", "What is the overall direction of the movement?", "Which way does {who} walk?",
            "Which way is {who} heading?", "Where is {who} going?", "Direction of movement?", "To which side does {who} move?", "What direction does {who} walk in?",
            "Overall, where does {who} move to?", "Relative to the initial facing, which way does {who} move?", "In which direction did {who} walk?",
        ),
        ("Toward which direction does {who} displace?", "Name the direction {who} travels in.", "Which direction did {who} move in, all in all?", "Seen from the starting pose, where does {who} go?"),
    ),
    "distance": (
        (
            "How far does {who} move?", "How far does {who} travel?", "How many metres does {who} move?", "What distance lies between start and end?", "How far is the end from the start?",
            "How far did {who} go?", "How many meters did {who} travel?", "What is the net distance covered?", "How far away does {who} end up?", "Distance from start to end?",
            "How long is the way {who} moves?", "How far does {who} get?",
        ),
        ("What distance does {who} cover?", "How far away from the start is {who} at the end?", "Give the distance travelled in metres."),
    ),
    "turn": (
        (
            "Which way does {who} turn?", "In which direction does {who} turn?", "Does {who} turn left or right?", "To which side does {who} turn?", "Where does {who} turn to?",
            "Which direction does {who} rotate?", "Is there a turn, and to which side?", "Which way does the body turn?", "Which way is the turn?", "Does {who} turn to the left, to the right or not at all?",
            "What is the turning direction?", "Which way does {who} rotate?", "Which way did {who} turn?", "In what direction does {who} turn around?", "Turn direction?",
            "To which side is {who} turning?", "Which way does the walk curve?", "Does {who} rotate left or right?",
        ),
        ("Toward which side is the turn made?", "Say in which direction {who} turns.", "Is {who} turning left or right?", "Which way does {who} spin?"),
    ),
    "turn_amount": (
        (
            "How far does {who} turn?", "By how many degrees does {who} turn?", "How much does {who} turn?", "How many degrees does {who} rotate?", "How large is the turn?", "What is the angle of the turn?",
            "Through what angle does {who} turn?", "How many degrees is the turn?", "By how much does {who} rotate?", "What angle does {who} turn by?", "How much did {who} turn?", "How big is the rotation?",
        ),
        ("Give the angle {who} turns by.", "How many degrees did {who} turn?", "How wide is the turn?"),
    ),
    "raised_hand": (
        (
            "Which hand is raised?", "Which hand does {who} raise?", "Which arm is raised?", "Which arm does {who} raise?", "What hand goes up?", "Which hand goes up?", "Which arm is lifted?", "Which hand is lifted?",
            "Does {who} raise the left hand, the right hand or both?", "Which arm goes up?", "Which of the hands is raised above the head?", "Which hand is held up?", "Is the left or the right hand raised?",
            "What arm does {who} lift?", "Which hand does {who} hold up high?", "Which hand did {who} raise?", "Raised hand?", "Which hand is up?", "Which arm is up?", "Which hand is above the head?",
        ),
        ("Which hand does {who} put up?", "Is it the left or the right arm that goes up?", "Tell which hand is raised.", "Which hand does {who} lift up?"),
    ),
    "more_active_arm": (
        (
            "Which arm moves more?", "Which arm does {who} move more?", "Which arm is more active?", "Which hand moves more?", "Which arm does most of the work?", "Which arm is used more?", "Which arm does {who} use?",
            "Is the left or the right arm more active?", "Which of the two arms moves the most?", "Which hand is more active?", "With which arm does {who} move more?", "Which arm is moving the most?",
            "Does the left arm or the right arm move more?", "Which hand does {who} use?", "More active arm?", "Which arm is mainly used?", "What arm is {who} using?",
        ),
        ("Which arm shows more movement?", "Which of the arms is busier?", "With which hand is {who} more active?", "Which arm dominates the movement?"),
    ),
    "more_active_leg": (
        (
            "Which leg moves more?", "Which leg is more active?", "Which foot moves more?", "Which leg does {who} move more?", "Which leg is used more?", "Is the left or the right leg more active?",
            "Which of the two legs moves the most?", "Which foot is more active?", "Does the left leg or the right leg move more?", "Which leg does {who} use?", "More active leg?", "With which leg does {who} move more?",
            "Which leg does {who} kick with?", "Which leg is lifted?",
        ),
        ("Which leg shows more movement?", "Which of the legs is busier?", "Which foot does {who} move the most?"),
    ),
    "arms_or_legs": (
        (
            "Does {who} move the arms or the legs more?", "Which limbs move more, arms or legs?", "Are the arms or the legs more active?", "Is it the arms or the legs that move most?", "Which body part moves the most, arms or legs?",
            "Do the arms or the legs do more?", "What moves more, the arms or the legs?", "Which limbs are used more?", "Which limbs are the most active?", "Arms or legs?", "Is this a movement of the arms or of the legs?",
            "Which limbs does {who} mainly use?",
        ),
        ("Which are busier, arms or legs?", "Mostly arms or mostly legs?", "Do arms or legs dominate this movement?"),
    ),
    "speed": (
        (
            "How fast does {who} move?", "At what speed does {who} move?", "How quickly does {who} travel?", "How fast does {who} go?", "What is the pace?", "How fast is {who} going?", "How fast is {who} travelling?",
            "What is the speed of the movement?", "At which pace does {who} move?", "Is {who} moving slowly or fast?", "How fast is the movement?", "How fast does {who} walk or run?", "Does {who} move slowly, at walking pace or fast?",
            "Speed?", "How quick is {who}?", "How fast did {who} move?", "With what speed does {who} travel?",
        ),
        ("What pace does {who} keep?", "How speedy is {who}?", "Describe the speed of {who}.", "How rapidly does {who} move?"),
    ),
    "posture_start": (
        (
            "What is the posture at the start?", "In which posture does {who} start?", "How does {who} start: standing, sitting, crouching or lying?", "What is the starting posture?", "Is {who} standing, sitting or lying at the beginning?",
            "What pose does {who} begin in?", "What posture is {who} in at first?", "At the beginning, is {who} standing, sitting, crouching, kneeling or lying?", "Initial posture?", "In what position does {who} start?",
            "How is {who} positioned at the start?", "Which posture does {who} begin with?",
        ),
        ("What posture does the clip open with?", "In which position is {who} initially?", "How is the body held at the outset?"),
    ),
    "posture_end": (
        (
            "What is the posture at the end?", "In which posture does {who} end?", "How does {who} end up: standing, sitting, crouching or lying?", "What is the final posture?", "Is {who} standing, sitting or lying at the end?",
            "What pose does {who} finish in?", "What posture is {who} in at last?", "At the end, is {who} standing, sitting, crouching, kneeling or lying?", "Final posture?", "In what position does {who} finish?",
            "How is {who} positioned at the end?", "Which posture does {who} end with?",
        ),
        ("What posture does the clip close with?", "In which position is {who} finally?", "How is the body held in the end?"),
    ),
    "posture": (
        (
            "What is the posture of {who}?", "In which posture is {who} most of the time?", "Is {who} standing, sitting, crouching, kneeling or lying?", "What posture does {who} hold?", "What is the main posture?", "What position is {who} in?",
            "Which posture is it?", "Posture?", "Is {who} mostly standing or lying?", "What is the body posture?", "Is {who} sitting or standing?", "In what position is the body?", "Is {who} lying down?  Name the posture.",
        ),
        ("What posture prevails?", "Which position does {who} hold for most of the clip?", "How is {who} positioned for the most part?"),
    ),
    "count": (
        (
            "How many times does {who} do it?", "How many repetitions are there?", "How many times does {who} {do}?", "How often does {who} {do}?", "Count the repetitions.", "How many reps?", "How often is the movement repeated?",
            "How many times is it repeated?", "What is the number of repetitions?", "How many times does the movement happen?", "How many repetitions does {who} do?", "Number of repetitions?", "How many times did {who} {do}?",
            "Count how often {who} {does}.", "How many cycles are there?",
        ),
        ("What is the rep count?", "How frequently does {who} {do} in this clip?", "Tell me the number of times {who} {does}."),
    ),
    "steps": (
        (
            "How many steps does {who} take?", "How many steps are there?", "Count the steps.", "How many steps did {who} take?", "What is the number of steps?", "How many steps does {who} make?", "Number of steps?", "How many times does a foot step?",
            "How many footsteps are there?", "How many steps do you count?", "How many steps are taken?", "How many strides or steps does {who} take?",
        ),
        ("What is the step count?", "How many paces does {who} take?", "Tell me the number of steps {who} takes."),
    ),
    "duration": (
        (
            "How long is the clip?", "How long does it last?", "How many seconds is the recording?", "What is the duration?", "How long does the movement take?", "How long is the recording?", "How many seconds does it take?", "Duration?",
            "How long does {who} move?", "What is the length of the clip?", "How much time does it take?",
        ),
        ("For how long does this go on?", "What is the length in seconds?", "How many seconds does the motion last?"),
    ),
    "first": (
        (
            "What does {who} do first?", "What happens first?", "What is the first action?", "What does {who} start with?", "Which action comes first?", "What is {who} doing at the beginning?", "What does {who} do at the start?", "How does the sequence begin?",
            "What is the initial action?", "First action?", "With which action does {who} begin?", "What is the first thing {who} does?", "What did {who} do first?", "At the beginning, what does {who} do?",
        ),
        ("Which action opens the sequence?", "What does {who} do to begin with?", "What is {who} up to initially?"),
    ),
    "last": (
        (
            "What does {who} do last?", "What happens last?", "What is the last action?", "What does {who} end with?", "Which action comes last?", "What is {who} doing at the end?", "What does {who} do at the end?", "How does the sequence end?",
            "What is the final action?", "Last action?", "With which action does {who} finish?", "What is the last thing {who} does?", "What did {who} do last?", "At the end, what does {who} do?", "What happens in the end?",
        ),
        ("Which action closes the sequence?", "What does {who} finish with?", "What is {who} up to finally?"),
    ),
    "after": (
        (
            "What does {who} do after {a}?", "What happens after {a}?", "After {a}, what does {who} do?", "What comes after {a}?", "What does {who} do next after {a}?", "What follows {a}?", "Once done with {a}, what does {who} do?",
            "Which action follows {a}?", "What is done right after {a}?", "After {a}, what comes next?", "What did {who} do after {a}?", "What is the next action after {a}?",
        ),
        ("Which movement succeeds {a}?", "Following {a}, what does {who} do?", "What does {who} do once {a} is over?"),
    ),
    "before": (
        (
            "What does {who} do before {a}?", "What happens before {a}?", "Before {a}, what does {who} do?", "What comes before {a}?", "Which action precedes {a}?", "What is done right before {a}?", "What did {who} do before {a}?", "Prior to {a}, what does {who} do?",
            "What is {who} doing before {a}?", "What is the action before {a}?", "Just before {a}, what happens?",
        ),
        ("Which movement precedes {a}?", "What does {who} do ahead of {a}?", "Preceding {a}, what does {who} do?"),
    ),
    "order": (
        (
            "Does {who} start {a} before or after {b}?", "Is {a} before or after {b}?", "Does {a} happen before or after {b}?", "Does {a} come before or after {b}?", "Is {who} {a} before or after {b}?", "Before or after {b}: when is {who} {a}?",
            "Does {a} take place before or after {b}?", "Is it before or after {b} that {who} is {a}?", "Was {a} before or after {b}?", "Does {a} occur before or after {b}?", "Relative to {b}, is {a} before or after?",
        ),
        ("Is {a} earlier or later than {b}: before or after?", "When does {a} happen, before or after {b}?", "Is {a} done before {b} or after it?"),
    ),
    "order_yes_no": (
        (
            "Does {a} come before {b}?", "Is {a} followed by {b}?", "Does {who} do {a} and then {b}?", "Does {a} happen before {b}?", "Is {who} first {a} and then {b}?", "Is it true that {a} comes before {b}?", "Does {b} come after {a}?",
            "Does {b} follow {a}?", "Is the order {a}, then {b}?", "Is {b} preceded by {a}?", "Does {who} start with {a} and continue with {b}?",
        ),
        ("Is {a} the thing that precedes {b}?", "Does {a} occur earlier than {b}?", "Is {who} done with {a} before {b}?"),
    ),
    "yes_no": (
        (
            "Does {who} {do}?", "Is {who} {doing}?", "Is this a person {doing}?", "Do you see someone {doing}?", "Can you see {who} {doing}?", "Is {doing} shown here?", "Does the clip show {doing}?", "Did {who} {do}?", "Is it true that {who} {does}?",
            "Would you say {who} is {doing}?", "Is there any {doing} in this clip?", "Does {who} {do} at any time?", "Does {doing} happen?", "Is the action {doing}?", "Is somebody {doing} here?", "{doing}, yes or no?",
            "Does {who} ever {do}?", "Is the motion one of {doing}?",
        ),
        ("Could this be {doing}?", "Is {who} seen {doing}?", "Am I right that {who} {does}?", "Does {doing} take place?"),
    ),
    "fact_yes_no": (
        (
            "Does {who} {do}?", "Is {who} {doing}?", "Did {who} {do}?", "Is it true that {who} {does}?", "Does {who} {do} at any time?", "Can you see {who} {doing}?", "Does {who} {do} in this clip?", "Does {who} ever {do}?",
            "Would you say {who} {does}?", "Is {who} {doing} at some point?", "Do you see {who} {doing}?", "{who} {does}, right?",
        ),
        ("Is there a moment where {who} {does}?", "Am I right that {who} {does}?", "Is {who} seen {doing}?"),
    ),
    "when": (
        (
            "When does {who} {do}?", "At what point does {who} {do}?", "In which part of the clip does {who} {do}?", "Is it at the beginning, in the middle or at the end that {who} {does}?", "When is {who} {doing}?", "When did {who} {do}?",
            "At which time does {who} {do}?", "Where in the clip does {who} {do}?", "Does {who} {do} at the beginning, in the middle or at the end?", "Which part of the clip shows {who} {doing}?", "When in the clip is {who} {doing}?",
        ),
        ("Early, midway or late: when does {who} {do}?", "At what stage does {who} {do}?", "During which part does {who} {do}?"),
    ),
    "limb_moves": (
        (
            "Does {who} move the {limb}?", "Is the {limb} moving?", "Does the {limb} move?", "Is {who} using the {limb}?", "Does {who} use the {limb}?", "Is there movement of the {limb}?", "Does the {limb} do anything?",
            "Is the {limb} active?", "Did {who} move the {limb}?", "Can you see the {limb} move?", "Does {who} move the {limb} much?",
        ),
        ("Is the {limb} in motion?", "Does the {limb} take part?", "Is {who} seen moving the {limb}?"),
    ),
    "unknowable": (
        (
            "What colour is {who}'s shirt?", "How old is {who}?", "What is {who}'s name?", "Where does this take place?", "What is {who} wearing?", "Is {who} a man or a woman?", "What is {who} thinking?", "What colour are the shoes?",
            "Is it raining?", "What is in the background?", "What is {who} saying?", "Which room is this?", "What music is playing?", "Who is {who}?", "What colour is the hair?", "How tall is the building behind?", "What brand are the shoes?",
            "What does {who} eat?", "What time of day is it?", "Is the light on?", "What language does {who} speak?", "Is {who} smiling?", "What is the weather like?", "How much does {who} weigh?", "What country is this?",
            "What colour is the ball?", "Which song is it?", "What is the phone number?", "How many people are watching?", "What is {who}'s job?", "Is {who} wearing a hat?", "What does the room look like?",
        ),
        ("What colour are {who}'s trousers?", "In which city was this filmed?", "What is {who}'s favourite food?", "Is there a dog in the room?", "What is written on the wall?"),
    ),
    "caption": (
        (
            "Describe the movement.", "Describe what {who} does.", "Describe the motion.", "Give a caption.", "Write a caption for this motion.", "Caption this clip.", "Describe the action in a sentence.", "Summarise the movement.", "What is the motion? Describe it.",
            "Put the movement into words.", "Describe this recording.", "Give a short description of the movement.", "Caption:", "Describe in one sentence what {who} is doing.",
        ),
        ("Provide a sentence describing {who}'s movement.", "Sum up this motion in words.", "Write one line about what {who} does."),
    ),
}  # fmt: skip


def ask(form: str, rng: random.Random, *, unseen: bool = False, plain: bool = False, **slots: str) -> str:
    """Word a question of a form.

    Args:
        form: key of WORDINGS.
        rng: source of chance.
        unseen: draw from the wordings kept for the test.
        plain: no lead-in, no slips: what an evaluation asks.
        slots: values of `do`, `does`, `doing`, `a`, `b`, `limb` where the form has them.
    """
    seen_set, unseen_set = WORDINGS[form]
    wording = rng.choice(unseen_set if unseen else seen_set)
    who = "the person" if plain else rng.choice(WHO)
    text = wording.format(who=who, **slots)
    text = text[:1].upper() + text[1:]
    return text if plain else _as_typed(text, rng)


def _as_typed(text: str, rng: random.Random) -> str:
    """What hurried people do to a question: a lead-in, no question mark, other case, a slip of the finger."""
    if rng.random() < 0.25:
        lead = rng.choice(_LEADS)
        text = lead + (text[:1].lower() + text[1:] if lead.endswith((", ", ": ")) else text)
    if rng.random() < 0.2:
        text = text.rstrip("?.")
    if rng.random() < 0.15:
        text = text.lower()
    elif rng.random() < 0.03:
        text = text.upper()
    if rng.random() < 0.12:
        text = typo(text, rng)
    return text


def typo(text: str, rng: random.Random) -> str:
    """One slip: two neighbouring letters exchanged, one dropped, or one doubled, inside a word of five letters or more.

    Words that carry the answer (left, right, before ...) are spared: a slip there can change what is asked.
    """
    words = text.split(" ")
    spared = {"left", "right", "before", "after", "first", "last", "above"}
    places = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha() and word.lower() not in spared]
    if not places:
        return text
    place = rng.choice(places)
    word = words[place]
    at = rng.randrange(1, len(word) - 2)
    kind = rng.random()
    if kind < 0.4:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif kind < 0.75:
        word = word[:at] + word[at + 1 :]
    else:
        word = word[:at] + word[at] + word[at:]
    words[place] = word
    return " ".join(words)
