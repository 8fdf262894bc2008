"""Map class names of the sources to one vocabulary of action phrases.

Labels of several corpora for the same movement map to the same phrase. Labels give no direction ("walk to the left" is
not leftward of the body in every corpus); direction is measured.
"""

from __future__ import annotations

_BNR = {
    "bow": "bow",
    "bye": "wave goodbye",
    "byebye": "wave goodbye",
    "call": "beckon someone",
    "dance-short": "dance",
    "dash": "sprint",
    "guide": "show someone the way",
    "kick": "kick",
    "punch": "punch",
    "respond": "answer with a gesture",
    "run": "run",
    "slash": "slash with the arms",
    "walk-back": "walk",
    "walk-left": "walk",
    "walk-right": "walk",
    "walk": "walk",
    "raise-up-both-hands": "raise both hands",
    "raise-up-left-hand": "raise the left hand",
    "raise-up-right-hand": "raise the right hand",
    "walk-turn-left": "walk and turn left",
    "walk-turn-right": "walk and turn right",
    "wave-both-hands": "wave both hands",
    "wave-left-hand": "wave the left hand",
    "wave-right-hand": "wave the right hand",
}

_CMU = (  # first match wins, searched in the lower-case description
    ("swordplay", "swing a sword"),
    ("dribble", "dribble a basketball"),
    ("dance", "dance"),
    ("soccer", "kick a ball"),
    ("punch", "punch"),
    ("wash", "wash oneself"),
    ("hop", "hop"),
    ("jump up to grab", "reach up"),
    ("scoop", "pick something up"),
    ("navigate", "walk"),
    ("playground - forward jumps", "jump"),
    ("playground", "climb"),
    ("jump", "jump"),
    ("run", "run"),
    ("walk", "walk"),
)

_LABELS = {  # labels that are not verb phrases, or whose movement has another name in another corpus
    "boxing punches": "box",
    "baseball swing from the right": "swing a baseball bat",
    "tennis right hand forehand swing": "swing a tennis racket",
    "tennis serve": "serve in tennis",
    "two hand push": "push with both hands",
    "sit to stand": "stand up",
    "stand to sit": "sit down",
    "forward lunge with the left foot forward": "lunge forward",
    "do a forward lunge": "lunge forward",
    "basketball shot": "shoot a basketball",
    "arm curl with both arms": "curl both arms",
    "draw a circle counter clockwise with the right hand": "draw a circle counterclockwise in the air",
    "draw a circle clockwise with the right hand": "draw a circle clockwise in the air",
    "draw a triangle with the right hand": "draw a triangle in the air",
    "draw an X with the right hand": "draw an X in the air",
    "draw a circle": "draw a circle in the air",
    "draw a square": "draw a square in the air",
    "draw a triangle": "draw a triangle in the air",
    "draw the letter A": "draw the letter A in the air",
    "draw the letter C": "draw the letter C in the air",
    "draw the letter K": "draw the letter K in the air",
    "draw the letter M": "draw the letter M in the air",
    "draw the letter X": "draw an X in the air",
    "bowl with the right hand": "bowl",
    "throw with the right arm": "throw",
    "squat with both arms stretched out": "squat",
    "clap both hands in front": "clap",
    "raise their hand": "raise the {side} hand",
    "raise their other hand": "raise the {side} hand",
    "wave their hand": "wave the {side} hand",
    "wave their other hand": "wave the {side} hand",
    "raise their arm to one side": "raise the {side} arm to the side",
    "raise their arm to the other side": "raise the {side} arm to the side",
    "bend their knee while raising their leg": "raise the {side} knee",
    "bend their other knee while raising their leg": "raise the {side} knee",
    "lift their leg to one side": "lift the {side} leg to the side",
    "lift their leg to the other side": "lift the {side} leg to the side",
    "kick a ball": "kick a ball",
    "kick a ball as far as they can": "kick a ball",
    "kick a ball with the other leg": "kick a ball",
    "kick a ball as far as they can with the other leg": "kick a ball",
    "throw a ball": "throw a ball",
    "throw a ball as far as they can": "throw a ball",
    "throw a ball with their other arm": "throw a ball",
    "throw a ball as far as they can with the other arm": "throw a ball",
    "put their hands on their hips and lean to the side": "lean to the side with hands on hips",
    "put their hands on their hips and lean to the other side": "lean to the side with hands on hips",
    "put their hands on their hips and twist": "twist with hands on hips",
    "touch their toes": "touch the toes",
    "walk in place as fast as they can": "walk in place",
    "run in place as fast as they can": "run in place",
    "jog in place": "run in place",
    "jump as high as they can": "jump",
    "do two jumping jacks": "do jumping jacks",
    "jumping jacks": "do jumping jacks",
    "push an imaginary button in front of them": "push a button",
    "swipe across an imaginary screen in front of them from right to left": "swipe to the left",
    "swipe across an imaginary screen in front of them from left to right": "swipe to the right",
    "swipe left with the right arm": "swipe to the left",
    "swipe right with the right arm": "swipe to the right",
    "point at the camera": "point forward",
    "climb an imaginary ladder": "climb a ladder",
    "pick up with one hand": "pick something up with one hand",
    "pick up with two hands": "pick something up with two hands",
    "drop trash": "throw something away",
    "baseball pitch": "pitch a baseball",
    "baseball swing": "swing a baseball bat",
    "bench press": "bench press",
    "clean and jerk": "lift a barbell overhead",
    "golf swing": "swing a golf club",
    "jump rope": "jump rope",
    "pullup": "do pull-ups",
    "pushup": "do push-ups",
    "push-up": "do push-ups",
    "situp": "do sit-ups",
    "strum guitar": "strum a guitar",
    "tennis forehand": "swing a tennis racket",
    "run forward": "run",
    "run backward": "run",
    "run to the left": "run",
    "run to the right": "run",
    "run with long strides": "run",
    "run in a curve to the left": "run in a curve",
    "run in a curve to the right": "run in a curve",
    "jog": "run",
    "walk forward": "walk",
    "walk backward": "walk",
    "walk sideways to the left": "walk",
    "walk sideways to the right": "walk",
    "start walking from standing": "walk",
    "stop walking and stand": "walk",
    "spinning kick": "do a spinning kick",
    "backflip": "do a backflip",
    "side flip": "do a side flip",
    "cartwheel": "do a cartwheel",
    "combination of kicks": "kick",
    "punch forward": "punch",
    "punch left": "punch",
    "hop on one leg": "hop",
    "turn around to the left": "turn around",
    "turn around to the right": "turn around",
    "turn left": "turn",
    "turn right": "turn",
    "climb onto a mid-height ledge": "climb onto a ledge",
    "speed vault over an obstacle": "vault over an obstacle",
    "dash vault over an obstacle": "vault over an obstacle",
    "reverse vault over an obstacle": "vault over an obstacle",
    "dive kong vault over an obstacle": "vault over an obstacle",
    "vault over two obstacles (double kong vault)": "vault over an obstacle",
    "fall to the left": "fall",
    "fall backward": "fall",
    "stand alert": "stand",
    "stand ready": "stand",
    "stand in a fighting stance": "stand",
    "walk around": "walk",
    "right punch": "punch",
    "left punch": "punch",
    "side kick with the right leg": "kick",
    "side kick with the left leg": "kick",
    "front kick with the right leg": "kick",
    "front kick with the left leg": "kick",
    "back fist strike": "punch",
    "elbow strike": "strike with the elbow",
}


def action_phrase(source: str, label: str, side: str | None = None) -> str | None:
    """Look up the action phrase (base form) of a class name; None for a label without a usable action.

    Args:
        source: ``bnr``, ``cmu`` or a corpus whose labels are verb phrases.
        label: class name of the source (for ``cmu`` the description of the sequence).
        side: ``left`` or ``right``, for sources that keep it in a separate field.

    Returns:
        The phrase, such as "wave the right hand", or None.
    """
    if source == "bnr":
        return _BNR.get(label)
    if source == "cmu":
        return next((phrase for word, phrase in _CMU if word in label.lower()), None)
    phrase = _LABELS.get(label)
    if phrase is None:
        phrase = f"{label} with the body" if label.startswith("make the letter") else label
        if "sword" in phrase or "shield" in phrase or "finishing" in phrase:
            phrase = "fight with a shield" if "sword" not in phrase and "shield" in phrase else "fight with a sword"
    if "{side}" in phrase:
        return phrase.format(side=side) if side in ("left", "right") else None
    return phrase
