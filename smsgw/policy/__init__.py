"""May it go? Limits and rules: pure judgements on values, with time passed in. Never SQL, never asyncio.

    statuses     reason → what a tenant is told            throttle    token buckets
    handset      octets → the text that is read            normal      text → what its spellings have in common
    matcher      terms and patterns, by compiled engines   templates, signature, numbers   what their names say
    file         the tables of a rule set                  ruleset     a bundle of files → compiled, named by its hash
    shape, faults, check    every fault of a set at once, with file, line, key and what to do
    compare, shadowing      two versions compared by rule; a rule put into shadow mode by a line of its file
    literals     a word that every match of a pattern has in it
    syllables    a word with a syllable of it in letters
    submission   one message before the rules              verdict     findings, and what they add up to
    address, kinds, content, wording    the rules          selftest    a set proved on its own texts
    contacts     links and phone numbers in a text         kind_words  words that tell what kind of message it is
    beside       what a handset shows or dials beside the text
    way_out      whether a text tells how it is refused, or that it cannot be
    senders, consent    whose sender takes the place of another's; what recipients want, by `marks` in sets of `numbers`
    keywords, replies   what a handset says in one word, and what its set answers
    standing, doubts    what a state does to submits; what a set says that can hardly be meant
    engines, turns, glance, dotted    how sets are compiled beside the loop, and a plain message is passed at one look
    replay       a new set over texts that were judged before
    caps         by which counters a message is counted for its recipient
    pumping      signs in what an account tries to send
    judging      RULES in their order, `judge`             docket      what was judged: counts, and the fail mode

The rules themselves are imported from `judging`: whoever needs a status alone must not load the engines.
"""
