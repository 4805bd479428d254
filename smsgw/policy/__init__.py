"""May it go? Limits and rules: pure judgements on values, with time passed in. Never SQL, never asyncio."""
