"""What the rules on messages to the public ask of a platform: opt-outs, consent, complaints and when they are due.

Pure, but for what the store gives: what a handset's keyword refuses, what a list says, which day is the fifteenth working day.
"""
